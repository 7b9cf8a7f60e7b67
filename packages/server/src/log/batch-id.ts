import { assert } from "@hstream/proto";
import type { BatchId } from "./log-store.js";

const base = 10 ** 15;
const idsPerEpoch = 2 ** 32;

/** 10^15 + epoch · 2^32 + n. */
export function batchId(epoch: number, n: number): BatchId {
  assert(n >= 0 && n < idsPerEpoch, "an epoch has 2^32 batch ids");
  const id = base + epoch * idsPerEpoch + n;
  assert(Number.isSafeInteger(id), "batch ids stay below 2^53");
  return id;
}

/** The epoch that gave this id; 0 for the id 0. */
export function epochOf(id: BatchId): number {
  return id < base ? 0 : Math.floor((id - base) / idsPerEpoch);
}

/** Gives one epoch's ids, ascending. */
export class BatchIds {
  readonly epoch: number;
  readonly #first: BatchId;
  #used = 0;

  constructor(epoch: number) {
    this.epoch = epoch;
    this.#first = batchId(epoch, 0);
  }

  next(): BatchId {
    assert(this.#used < idsPerEpoch, "the next epoch begins in time");
    return this.#first + this.#used++;
  }

  /** Time for the next epoch: long before the ids run out, since only a new segment can begin one. */
  get nearlyUsedUp(): boolean {
    return this.#used > idsPerEpoch / 2;
  }
}
