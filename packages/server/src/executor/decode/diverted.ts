/** Why a record was not processed. */
export type DivertReason =
  /** The batch could not be inflated: all of its records. */
  | "unreadable-batch"
  /** Broken framing, or a payload that is not a protobuf Struct. */
  | "malformed"
  /** A RAW record: bytes without fields. */
  | "raw"
  /** The batch has another number of records than was declared. */
  | "count-mismatch"
  /** A deletion (attribute hstream.op = delete) in a stream that no query writes deletions to. */
  | "deletion"
  /** A record without a time, where the query needs it. */
  | "no-time"
  /** A record of which all windows are closed, or that is too late for its join. */
  | "late";

export type DivertedCounts = Readonly<Partial<Record<DivertReason, number>>>;

/** Where diverted records are reported. */
export interface Diversions {
  add(reason: DivertReason, count?: number): void;
}

/** Where records are reported that came too late for an operator, or have no time. */
export interface LateRecords {
  /** `origin`: the record's number, by which others that it is late for know it. */
  add(reason: "late" | "no-time", origin: number | undefined): void;
}

/** Counts late records, each once in a step, however many operators it is late for. */
export class LateCounter implements LateRecords {
  #counter = new DivertedCounter();
  readonly #seen = new Set<number>();

  add(reason: "late" | "no-time", origin: number | undefined): void {
    if (origin !== undefined) {
      if (this.#seen.has(origin)) return;
      this.#seen.add(origin);
    }
    this.#counter.add(reason);
  }

  beginStep(): void {
    this.#seen.clear();
  }

  /** Those since the last time. */
  take(): DivertedCounter {
    const counter = this.#counter;
    this.#counter = new DivertedCounter();
    return counter;
  }
}

/** Counts diverted records by reason. */
export class DivertedCounter implements Diversions {
  #total = 0;
  readonly #counts = new Map<DivertReason, number>();

  get total(): number {
    return this.#total;
  }

  add(reason: DivertReason, count = 1): void {
    this.#total += count;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + count);
  }

  counts(): DivertedCounts {
    return Object.fromEntries(this.#counts);
  }
}
