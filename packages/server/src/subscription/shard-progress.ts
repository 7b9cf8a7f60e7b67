import { z } from "zod";
import type { BatchId } from "../log/log-store.js";
import type { MetaCodec } from "../meta/table.js";
import { AckSet } from "./ack-set.js";

const savedProgress = z.object({
  version: z.literal(1),
  /** Everything up to and including this batch is acked. */
  upTo: z.number(),
  /** Runs of fully acked batches beyond it: [first, last], ascending. */
  runs: z.array(z.tuple([z.number(), z.number()])),
  /** Partly acked batches: [batch, records, bitmap in base64], ascending. */
  partial: z.array(z.tuple([z.number(), z.number(), z.string()])),
});

/** What is kept durably of a shard's progress. */
export type SavedProgress = Readonly<z.infer<typeof savedProgress>>;

export const progressCodec: MetaCodec<SavedProgress> = { parse: (json) => savedProgress.parse(json) };

export function startingAfter(upTo: BatchId): SavedProgress {
  return { version: 1, upTo, runs: [], partial: [] };
}

/** JSON of a run, or of a partly acked batch without its bitmap: two numbers of 16 digits and more. */
const entryBytesMax = 64;

/** A batch with records that are not acked. */
export interface OpenBatch {
  readonly kind: "open";
  readonly batchId: BatchId;
  readonly acks: AckSet;
}

/** Batches in a row of which nothing is to be delivered (any more): acked, or lost to a trim. */
interface Run {
  readonly kind: "run";
  readonly from: BatchId;
  to: BatchId;
}

interface Link<Batch extends OpenBatch> {
  entry: Batch | Run;
  previous: Link<Batch> | undefined;
  next: Link<Batch> | undefined;
}

/**
 * What has been read of a shard and what of it is acked: an ordered list of open batches with the
 * runs between them, so that its length is bounded by the open batches and not by what was acked
 * beyond a hole.
 */
export class ShardProgress<Batch extends OpenBatch> {
  readonly #open = new Map<BatchId, Link<Batch>>();
  #first: Link<Batch> | undefined;
  #last: Link<Batch> | undefined;
  #upTo: BatchId;
  /** Of an earlier life: what was acked of batches that have not been read again yet. */
  readonly #savedRuns: [BatchId, BatchId][];
  readonly #savedPartial: Map<BatchId, readonly [number, string]>;

  constructor(saved: SavedProgress) {
    this.#upTo = saved.upTo;
    this.#savedRuns = saved.runs.map(([from, to]) => [from, to]);
    this.#savedPartial = new Map(saved.partial.map(([batchId, size, bits]) => [batchId, [size, bits]]));
  }

  /** Everything up to and including this batch needs no delivery any more. */
  get upTo(): BatchId {
    return this.#upTo;
  }

  get openBatches(): number {
    return this.#open.size;
  }

  get(batchId: BatchId): Batch | undefined {
    const entry = this.#open.get(batchId)?.entry;
    return entry?.kind === "open" ? entry : undefined;
  }

  /**
   * Takes in the next batch that was read. The open batch that `make` makes of it, or undefined if
   * all of it had been acked in an earlier life.
   */
  add(
    batchId: BatchId,
    recordCount: number,
    make: (batchId: BatchId, acks: AckSet) => Batch,
  ): Batch | undefined {
    if (this.#wasAcked(batchId)) {
      this.skip(batchId, batchId);
      return undefined;
    }
    const [size, bits] = this.#savedPartial.get(batchId) ?? [];
    this.#savedPartial.delete(batchId);
    const saved = size === recordCount && bits !== undefined ? Buffer.from(bits, "base64") : undefined;
    const batch = make(batchId, new AckSet(recordCount, saved));
    this.#open.set(batchId, this.#append(batch));
    return batch;
  }

  /** Takes in batches that need no delivery: they are gone from the log. */
  skip(from: BatchId, to: BatchId): void {
    for (const batchId of this.#savedPartial.keys()) if (batchId <= to) this.#savedPartial.delete(batchId);
    this.#mergeAround(this.#append({ kind: "run", from, to }));
  }

  /** All records of an open batch are acked, or it is gone from the log. */
  finish(batch: Batch): void {
    const link = this.#open.get(batch.batchId);
    if (link === undefined) return;
    this.#open.delete(batch.batchId);
    link.entry = { kind: "run", from: batch.batchId, to: batch.batchId };
    this.#mergeAround(link);
  }

  /** The open batches up to and including one, in order. */
  *openUpTo(upTo: BatchId): Iterable<Batch> {
    for (let link = this.#first; link !== undefined; ) {
      const { entry, next } = link;
      if (entry.kind === "open") {
        if (entry.batchId > upTo) return;
        yield entry;
      }
      link = next;
    }
  }

  /**
   * As much of it as fits `bytesMax` of JSON, the first batches before the later ones; what is left
   * out will be delivered again after a restart.
   */
  save(bytesMax: number): SavedProgress {
    const runs: [BatchId, BatchId][] = [];
    const partial: [BatchId, number, string][] = [];
    let bytes = entryBytesMax;
    const fits = (bitmapBytes: number) => {
      bytes += entryBytesMax + Math.ceil(bitmapBytes / 3) * 4;
      return bytes <= bytesMax;
    };
    for (let link = this.#first; link !== undefined; link = link.next) {
      const { entry } = link;
      if (entry.kind === "run" && fits(0)) runs.push([entry.from, entry.to]);
      if (entry.kind === "run" || entry.acks.count === 0) continue;
      const bitmap = Buffer.from(entry.acks.save());
      if (!fits(bitmap.length)) break;
      partial.push([entry.batchId, entry.acks.size, bitmap.toString("base64")]);
    }
    // What an earlier life knew of batches beyond those read so far still holds.
    for (const run of this.#savedRuns) if (fits(0)) runs.push([...run]);
    for (const [batchId, [size, bits]] of this.#savedPartial) {
      if (fits(bits.length)) partial.push([batchId, size, bits]);
    }
    return { version: 1, upTo: this.#upTo, runs, partial };
  }

  #wasAcked(batchId: BatchId): boolean {
    for (let run = this.#savedRuns[0]; run !== undefined && run[1] < batchId; run = this.#savedRuns[0]) {
      this.#savedRuns.shift();
    }
    const run = this.#savedRuns[0];
    if (run === undefined || run[0] > batchId) return false;
    // What comes before this batch has been taken in; the rest of the run is still to come.
    if (run[1] === batchId) this.#savedRuns.shift();
    else run[0] = batchId + 1;
    return true;
  }

  #append(entry: Batch | Run): Link<Batch> {
    const link: Link<Batch> = { entry, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    return link;
  }

  /** Joins a run with its neighbours; at the front of the list it becomes part of `upTo`. */
  #mergeAround(link: Link<Batch>): void {
    if (link.entry.kind !== "run") return;
    const before = link.previous;
    if (before?.entry.kind === "run") {
      before.entry.to = link.entry.to;
      this.#remove(link);
      this.#mergeAround(before);
      return;
    }
    const after = link.next;
    if (after?.entry.kind === "run") {
      link.entry.to = after.entry.to;
      this.#remove(after);
    }
    if (before !== undefined) return;
    this.#upTo = Math.max(this.#upTo, link.entry.to);
    this.#remove(link);
  }

  #remove(link: Link<Batch>): void {
    if (link.previous === undefined) this.#first = link.next;
    else link.previous.next = link.next;
    if (link.next === undefined) this.#last = link.previous;
    else link.next.previous = link.previous;
  }
}
