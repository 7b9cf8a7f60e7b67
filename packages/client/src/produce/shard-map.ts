import { createHash } from "node:crypto";
import type { Shard } from "@hstream/proto";
import { HStreamClientError } from "../errors.js";

interface Range {
  readonly shardId: bigint;
  readonly start: bigint;
  readonly end: bigint;
}

/** Which shard of a stream the records of a key go to. */
export class ShardMap {
  readonly #ranges: readonly Range[];
  readonly #stream: string;

  constructor(stream: string, shards: readonly Shard[]) {
    this.#stream = stream;
    this.#ranges = shards
      .filter((shard) => shard.isActive)
      .map((shard) => ({
        shardId: shard.shardId,
        start: BigInt(shard.startHashRangeKey),
        end: BigInt(shard.endHashRangeKey),
      }))
      .sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  /** All shards, by their ranges. */
  get shardIds(): readonly bigint[] {
    return this.#ranges.map(({ shardId }) => shardId);
  }

  /** The shard whose range holds the key's hash. */
  shardOf(key: string): bigint {
    const only = this.#ranges[0];
    if (this.#ranges.length === 1 && only !== undefined) return only.shardId;
    const hash = hashKey(key);
    let low = 0;
    let high = this.#ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range === undefined) break;
      if (hash < range.start) high = middle - 1;
      else if (hash > range.end) low = middle + 1;
      else return range.shardId;
    }
    throw new HStreamClientError({
      reason: "protocol",
      message: `No shard of stream "${this.#stream}" takes the key ${JSON.stringify(key)}.`,
    });
  }
}

/** The MD5 sum of the key's UTF-8 bytes as a 128-bit number, as every HStream client computes it. */
export function hashKey(key: string): bigint {
  return BigInt(`0x${createHash("md5").update(key, "utf8").digest("hex")}`);
}
