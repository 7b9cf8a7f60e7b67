import type { BoundQuery, PhysicalPlan, Relation } from "@hstream/sql";
import { HStreamError } from "../errors.js";
import type { Snapshot } from "../executor/executor-host.js";
import { limits } from "../limits.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { StreamDocument } from "../streams/stream.js";
import { PushQuery } from "./push-query.js";
import { QueryProgress } from "./query-progress.js";
import { sourceStreams, tailsOf, type SourceStream } from "./query-input.js";
import type { QueryTools } from "./query-tools.js";
import type { ViewDocument } from "./view-catalogue.js";

export type ViewStatus = { readonly kind: "running" } | { readonly kind: "aborted"; readonly reason: string };

interface Waiter {
  /** For each shard, the batch that must have been processed. */
  readonly targets: ReadonlyMap<ShardId, BatchId>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A view that is being kept up to date: its rows stand in a worker thread, its input is read from the
 * beginning at every start. `positions` of its query only move when a chunk has been processed, so rows
 * are never of a state between two.
 */
export class RunningView {
  readonly document: ViewDocument;
  readonly relation: Relation;
  readonly progress: QueryProgress;
  readonly #tools: QueryTools;
  readonly #inputs: readonly SourceStream[];
  readonly #query: PushQuery;
  readonly #stop = new AbortController();
  readonly #waiters = new Set<Waiter>();
  readonly #ended: Promise<void>;
  #processed: ReadonlyMap<ShardId, BatchId>;
  #status: ViewStatus = { kind: "running" };

  constructor(tools: QueryTools, document: ViewDocument, query: BoundQuery, plan: PhysicalPlan) {
    this.document = document;
    this.relation = relationOf(document, query);
    this.#tools = tools;
    this.#inputs = sourceStreams(plan, tools.streams);
    this.#query = new PushQuery(tools, plan, { kind: "materialize" }, "earliest");
    this.#processed = this.#query.positions();
    const positions = () => this.#processed;
    this.progress = new QueryProgress(document.id, plan, positions, tools.metrics);
    this.#ended = this.#run();
  }

  get name(): string {
    return this.document.name;
  }

  get status(): ViewStatus {
    return this.#status;
  }

  /** The streams it reads. */
  get streams(): StreamDocument[] {
    return this.#inputs.map((input) => input.stream);
  }

  reads(streamId: string): boolean {
    return this.#inputs.some((input) => input.stream.id === streamId);
  }

  /**
   * The rows as they are once everything has been processed that was acknowledged before this call.
   * Rejects with ReadTimedOut after viewWaitMs, with QueryFailed when the view was aborted.
   */
  async snapshot(): Promise<Snapshot> {
    await this.#caughtUp(tailsOf(this.#tools.log, this.#inputs));
    this.#refuseAborted();
    return this.#query.execution.snapshot();
  }

  async close(): Promise<void> {
    this.#stop.abort(new HStreamError("ViewNotFound", { view: this.name }));
    await this.#ended;
  }

  async #run(): Promise<void> {
    try {
      for await (const report of this.#query.run(this.#stop.signal, () => this.#advance())) {
        // A view has no output: its rows are kept where they are made.
        this.progress.observe(report);
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#status = { kind: "aborted", reason };
        this.#tools.metrics?.failed(`view ${this.name}`, "QueryFailed", reason);
      }
      for (const waiter of this.#waiters) waiter.reject(error);
    } finally {
      this.#query.close();
    }
  }

  #advance(): void {
    this.#processed = this.#query.positions();
    for (const waiter of this.#waiters) {
      if (this.#covers(waiter.targets)) waiter.resolve();
    }
  }

  #covers(targets: ReadonlyMap<ShardId, BatchId>): boolean {
    for (const [shardId, batchId] of targets) {
      // A position is the next batch that will be read.
      if (batchId > 0 && (this.#processed.get(shardId) ?? 0) <= batchId) return false;
    }
    return true;
  }

  async #caughtUp(targets: ReadonlyMap<ShardId, BatchId>): Promise<void> {
    this.#refuseAborted();
    if (this.#covers(targets)) return;
    let waiter: Waiter | undefined;
    const timer = this.#tools.env.timers.after(limits.viewWaitMs, () => {
      waiter?.reject(new HStreamError("ReadTimedOut", { detail: this.#progress(targets) }));
    });
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { targets, resolve, reject };
        this.#waiters.add(waiter);
      });
    } finally {
      timer.cancel();
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }

  #progress(targets: ReadonlyMap<ShardId, BatchId>): string {
    const behind = [...targets].filter(([shardId, batchId]) => !this.#covers(new Map([[shardId, batchId]])));
    return `view "${this.name}" still reads ${behind.length} of the ${targets.size} shards behind it`;
  }

  #refuseAborted(): void {
    if (this.#status.kind === "running") return;
    throw new HStreamError("QueryFailed", {
      message: `View "${this.name}" was aborted: ${this.#status.reason} Drop it and create it again.`,
    });
  }
}

function relationOf(document: ViewDocument, query: BoundQuery): Relation {
  return {
    kind: "view",
    id: document.id,
    name: document.name,
    columns: query.output.map(({ name, type }) => ({ name, type })),
    open: false,
    appendOnly: false,
  };
}
