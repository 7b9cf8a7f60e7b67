import { asBuffer, type WireCursor } from "@hstream/proto";
import type { RecordRun } from "../subscription/subscription-driver.js";
import { firstIndexes } from "../streams/delivery.js";
import { recordIdField as field } from "./record-ids-codec.js";
import type { WholeBatchIds } from "./whole-batch-ids.js";

/** How many ids the last run had that was read one by one: so many records batches have at present. */
let likelyCount = 0;

/**
 * Reads ids one after the other into runs of one batch each. Consumers mostly send back the ids of whole
 * batches as they got them: those are compared with what they must be, all at once. Other ids of a batch
 * begin with the same bytes, which are compared, not read again.
 */
export class RecordIdReader {
  readonly runs: RecordRun[] = [];
  count = 0;
  readonly #whole: WholeBatchIds;
  #run: { shardId: number; batchId: number; indexes: number[] } | undefined;
  /** Where the shard and the batch of the run stand, if they came first and in this order. */
  #prefixStart = 0;
  #prefixLength = 0;

  /** `whole`: of the ids' field. */
  constructor(whole: WholeBatchIds) {
    this.#whole = whole;
  }

  /** Reads the id that the cursor stands before. One that cannot be ours becomes shard 0. */
  read(cursor: WireCursor): void {
    if (this.#readAsBefore(cursor)) return;
    const outer = cursor.enter();
    const start = cursor.position;
    let shardId: number | bigint = 0;
    let batchId: number | bigint = 0;
    let index = 0;
    let prefixLength = 0;
    let isOrdinary = cursor.bytes[start] === field.shardId;
    for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
      if (tag === field.index) {
        index = cursor.uint32();
        // What comes behind it does not belong to the beginning.
        isOrdinary = false;
      } else if (tag === field.shardId) shardId = cursor.uint64();
      else if (tag === field.batchId) {
        batchId = cursor.uint64();
        if (isOrdinary) prefixLength = cursor.position - start;
      } else cursor.skip(tag);
    }
    cursor.leave(outer);
    this.count += 1;
    if (typeof shardId === "bigint" || typeof batchId === "bigint") shardId = batchId = 0;
    if (this.#run?.shardId === shardId && this.#run.batchId === batchId) {
      this.#run.indexes.push(index);
      return;
    }
    if (this.#run !== undefined) likelyCount = this.#run.indexes.length;
    const isFirst = index === 0 && prefixLength > 0;
    if (isFirst && this.#readWhole(cursor, start, shardId, batchId)) return;
    this.#run = { shardId, batchId, indexes: [index] };
    this.runs.push(this.#run);
    this.#prefixStart = start;
    this.#prefixLength = prefixLength;
  }

  /** Whether the first id, which was read, is followed by the others of a batch of the usual size. */
  #readWhole(cursor: WireCursor, start: number, shardId: number, batchId: number): boolean {
    const expected = likelyCount > 1 ? this.#whole.of(shardId, batchId, likelyCount) : undefined;
    if (expected === undefined) return false;
    // With the tag and the length of the first one.
    const from = start - 2;
    const to = from + expected.length;
    if (to > cursor.end || asBuffer(cursor.bytes).compare(expected, 0, expected.length, from, to) !== 0) {
      return false;
    }
    cursor.position = to;
    this.count += likelyCount - 1;
    this.runs.push({ shardId, batchId, indexes: firstIndexes(likelyCount) });
    // The list is shared: what follows of this batch is a run of its own.
    this.#run = undefined;
    return true;
  }

  /** Reads an id of the same batch as the one before, if it has the usual form. */
  #readAsBefore(cursor: WireCursor): boolean {
    const { bytes } = cursor;
    const prefixLength = this.#prefixLength;
    const start = cursor.position + 1;
    // An id is shorter than what a second byte of the length is for.
    const end = start + (bytes[cursor.position] as number);
    if (this.#run === undefined || prefixLength === 0 || end > cursor.end) return false;
    let at = start;
    for (let i = this.#prefixStart; at < start + prefixLength; at++, i++) {
      if (bytes[at] !== bytes[i]) return false;
    }
    let index = 0;
    if (at < end) {
      if (bytes[at++] !== field.index) return false;
      let byte = bytes[at++] as number;
      index = byte & 0x7f;
      for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
        byte = bytes[at++] as number;
        index |= (byte & 0x7f) << shift;
      }
      if (byte >= 0x80) return false;
    }
    if (at !== end) return false;
    cursor.position = end;
    this.count += 1;
    this.#run.indexes.push(index);
    return true;
  }
}
