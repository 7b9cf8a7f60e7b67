import { must } from "@hstream/proto";
import { inputsOf, type PhysicalNode, type PhysicalPlan } from "@hstream/sql/runtime";
import type { ChangeBatch } from "./columns.js";
import type { Operator } from "./operators/operator.js";

/** A node of the plan at work: batches that wait for it, and where its output goes. */
export interface Stage {
  readonly operator: Operator;
  readonly readers: readonly Reader[];
  readonly queue: { readonly batch: ChangeBatch; readonly port: number }[];
  /** What it did last is half done. */
  resumes: boolean;
  finished: boolean;
  /** By what its watermark goes; none: it has none. */
  readonly times: readonly TimeBound[];
  /** The watermark that it knows. */
  watermark: number;
}

/** A source that a node's rows come from, and how far they may lie behind its watermark. */
export interface TimeBound {
  readonly source: number;
  readonly delayMs: number;
}

/** Who reads an output: a stage, at one of its inputs, or (undefined) the sink. */
export interface Reader {
  readonly stage: Stage | undefined;
  readonly port: number;
}

/** Nodes that are operators. */
export type WorkingNode = Exclude<PhysicalNode, { kind: "source" | "shared" }>;

/** Makes stages of a plan's nodes and connects them. */
export class PlanBuilder {
  /** Children before parents. */
  readonly stages: Stage[] = [];
  /** Whether an output is read twice. */
  sharesOutput = false;
  readonly #plan: PhysicalPlan;
  readonly #operator: (node: WorkingNode) => Operator;
  /** Of each source and each shared part, the lists of those who read it. */
  readonly #sourceReaders: (readonly Reader[])[][];
  readonly #sharedReaders: (readonly Reader[])[][];
  readonly #sharedTimes: (readonly TimeBound[])[] = [];

  constructor(plan: PhysicalPlan, operator: (node: WorkingNode) => Operator) {
    this.#plan = plan;
    this.#operator = operator;
    this.#sourceReaders = plan.sources.map(() => []);
    this.#sharedReaders = (plan.shared ?? []).map(() => []);
  }

  /** Builds all; `sink` reads the root. The readers of each source. */
  build(sink: readonly Reader[]): readonly (readonly Reader[])[] {
    const shared = this.#plan.shared ?? [];
    const readersOfShared: Reader[][] = shared.map(() => []);
    for (const [i, part] of shared.entries()) {
      this.#sharedTimes.push(this.#build(part, must(readersOfShared[i], "a part has readers")));
    }
    this.#build(this.#plan.root, sink);
    // A part reads only those before it, so the last is complete first.
    for (let i = shared.length - 1; i >= 0; i--)
      readersOfShared[i]?.push(...this.#merged(this.#sharedReaders[i]));
    return this.#sourceReaders.map((lists) => this.#merged(lists));
  }

  #merged(lists: readonly (readonly Reader[])[] = []): readonly Reader[] {
    const readers = lists.flat();
    if (readers.length > 1) this.sharesOutput = true;
    return readers;
  }

  /** Gives the bounds of the node's output. */
  #build(node: PhysicalNode, readers: readonly Reader[]): readonly TimeBound[] {
    if (node.kind === "source") {
      must(this.#sourceReaders[node.source], () => `the plan has a source ${node.source}`).push(readers);
      const source = this.#plan.sources[node.source];
      const isTimed = source?.kind === "stream" && source.time !== undefined;
      return isTimed ? [{ source: node.source, delayMs: 0 }] : [];
    }
    if (node.kind === "shared") {
      must(this.#sharedReaders[node.shared], () => `the plan has a shared part ${node.shared}`).push(readers);
      return must(this.#sharedTimes[node.shared], "a part reads only those before it");
    }
    const times: TimeBound[] = [];
    const stage: Stage = {
      operator: this.#operator(node),
      readers,
      queue: [],
      resumes: false,
      finished: false,
      times,
      watermark: Number.NEGATIVE_INFINITY,
    };
    for (const [port, input] of inputsOf(node).entries())
      times.push(...this.#build(input, [{ stage, port }]));
    this.stages.push(stage);
    // Rows without a partner come when the bound has passed.
    const delayMs =
      node.kind === "join" && node.within !== undefined && node.type !== "inner" ? node.within.ms + 1 : 0;
    return delayMs === 0 ? times : times.map((bound) => ({ ...bound, delayMs: bound.delayMs + delayMs }));
  }
}
