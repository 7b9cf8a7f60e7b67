import { createHash } from "node:crypto";
import { assert } from "@hstream/proto";

/**
 * Where a record goes: the key space 0 … 2^128 − 1 is divided among a stream's shards, and a key's
 * place in it is its MD5 digest, read as a big-endian number. The clients compute the same.
 */

/** The greatest place in the key space. */
export const keySpaceMax = 2n ** 128n - 1n;

/** Both ends belong to the range. */
export interface HashRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** The place of a key; a record without a key has the empty one. */
export function hashKey(key: string): bigint {
  return BigInt(`0x${createHash("md5").update(key, "utf8").digest("hex")}`);
}

/** The range of the shard at `index` (from 0) of a stream of `shardCount` shards. */
export function shardRange(index: number, shardCount: number): HashRange {
  assert(index >= 0 && index < shardCount, "a shard's index is below the shard count");
  const step = keySpaceMax / BigInt(shardCount);
  const start = BigInt(index) * step;
  return { start, end: index === shardCount - 1 ? keySpaceMax : start + step - 1n };
}

/** The index of the shard whose range has `hash`. */
export function shardIndexOf(hash: bigint, shardCount: number): number {
  const index = hash / (keySpaceMax / BigInt(shardCount));
  // The division leaves a remainder, which belongs to the last shard.
  return Math.min(Number(index), shardCount - 1);
}
