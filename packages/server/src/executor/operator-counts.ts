import { must } from "@hstream/proto";
import { inputsOf, type PhysicalNode, type PhysicalPlan } from "@hstream/sql/runtime";

/** What a node of a plan has done since its query runs in this process. */
export interface OperatorCount {
  /** Changes that it took, and gave. */
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** How long it was at work; of a source, also reading and decoding what was stored. */
  readonly busyMs: number;
  /** An estimate. */
  readonly stateBytes: number;
  /** Of a source that has times: how far they have come, ms since 1970; undefined before the first. */
  readonly watermarkMs: number | undefined;
}

/**
 * The counts lie in shared memory, so that they can be read while the worker is at work or waits for a
 * slow reader. Float64, five for each node, in the order of `nodesOf`:
 *
 *     rowsIn rowsOut busyMs stateBytes watermarkMs (0: none) | rowsIn …
 */
const slots = { rowsIn: 0, rowsOut: 1, busyMs: 2, stateBytes: 3, watermarkMs: 4 } as const;
const width = 5;

/** All nodes of a plan, those above their inputs, shared parts first. */
export function nodesOf(plan: PhysicalPlan): PhysicalNode[] {
  const nodes: PhysicalNode[] = [];
  const visit = (node: PhysicalNode) => {
    nodes.push(node);
    for (const input of inputsOf(node)) visit(input);
  };
  for (const part of plan.shared ?? []) visit(part);
  visit(plan.root);
  return nodes;
}

/** Memory for the counts of a plan. */
export function countsMemory(plan: PhysicalPlan): SharedArrayBuffer {
  return new SharedArrayBuffer(nodesOf(plan).length * width * Float64Array.BYTES_PER_ELEMENT);
}

/** The counts by the ids of the nodes. */
export function readCounts(plan: PhysicalPlan, memory: SharedArrayBuffer): Map<number, OperatorCount> {
  const counts = new Float64Array(memory);
  return new Map(
    nodesOf(plan).map((node, index) => {
      const [rowsIn = 0, rowsOut = 0, busyMs = 0, stateBytes = 0, time = 0] = counts.subarray(index * width);
      const watermarkMs = time === 0 ? undefined : time;
      return [node.id, { rowsIn, rowsOut, busyMs, stateBytes, watermarkMs }];
    }),
  );
}

/** The worker's side. `nowMs`: a clock that never goes back. */
export class OperatorCounter {
  readonly #counts: Float64Array;
  readonly #places: ReadonlyMap<number, number>;
  /** The places of the nodes that read each source. */
  readonly #sources: ReadonlyMap<number, readonly number[]>;
  readonly #nowMs: () => number;

  constructor(plan: PhysicalPlan, memory: SharedArrayBuffer, nowMs: () => number) {
    this.#counts = new Float64Array(memory);
    this.#nowMs = nowMs;
    const nodes = nodesOf(plan);
    this.#places = new Map(nodes.map(({ id }, index) => [id, index * width]));
    const sources = new Map<number, number[]>();
    for (const [index, node] of nodes.entries()) {
      if (node.kind !== "source") continue;
      sources.set(node.source, [...(sources.get(node.source) ?? []), index * width]);
    }
    this.#sources = sources;
  }

  meterOf({ id }: PhysicalNode): OperatorMeter {
    const place = must(this.#places.get(id), "every node of the plan has counts");
    return new OperatorMeter(this.#counts.subarray(place, place + width), this.#nowMs);
  }

  /** Reads from a source, whose rows go to all nodes that read it. */
  reading<T extends { readonly rowCount: number } | undefined>(source: number, read: () => T): T {
    const startedMs = this.#nowMs();
    const rows = read();
    const tookMs = this.#nowMs() - startedMs;
    for (const place of this.#sources.get(source) ?? []) {
      increase(this.#counts, place + slots.rowsOut, rows?.rowCount ?? 0);
      increase(this.#counts, place + slots.busyMs, tookMs);
    }
    return rows;
  }

  /** How far the times of a source have come. */
  reached(source: number, watermarkMs: number): void {
    if (!Number.isFinite(watermarkMs)) return;
    for (const place of this.#sources.get(source) ?? [])
      this.#counts[place + slots.watermarkMs] = watermarkMs;
  }
}

/** Counts of one operator. */
export class OperatorMeter {
  readonly #counts: Float64Array;
  readonly #nowMs: () => number;

  constructor(counts: Float64Array, nowMs: () => number) {
    this.#counts = counts;
    this.#nowMs = nowMs;
  }

  timed<T>(work: () => T): T {
    const startedMs = this.#nowMs();
    const result = work();
    increase(this.#counts, slots.busyMs, this.#nowMs() - startedMs);
    return result;
  }

  took(rows: number): void {
    increase(this.#counts, slots.rowsIn, rows);
  }

  gave(rows: number): void {
    increase(this.#counts, slots.rowsOut, rows);
  }

  holds(stateBytes: number): void {
    this.#counts[slots.stateBytes] = stateBytes;
  }
}

function increase(counts: Float64Array, at: number, by: number): void {
  counts[at] = (counts[at] as number) + by;
}
