import assert from "node:assert/strict";
import fc from "fast-check";
import { hashKey, ShardMap } from "./shard-map.js";

const top = (1n << 128n) - 1n;

function shards(count: number) {
  const step = top / BigInt(count);
  return Array.from({ length: count }, (_, place) => ({
    streamName: "s",
    shardId: BigInt(place + 1),
    startHashRangeKey: String(BigInt(place) * step),
    endHashRangeKey: String(place === count - 1 ? top : BigInt(place + 1) * step - 1n),
    epoch: 1n,
    isActive: true,
  }));
}

describe("the shard of a key", () => {
  it("hashes as MD5 does", () => {
    assert.equal(hashKey("").toString(16), "d41d8cd98f00b204e9800998ecf8427e");
    assert.equal(hashKey("é").toString(16), "66ddcd97cfdeabb2f6fb8a999b4bc76f");
  });

  it("is the one whose range holds its hash, however the shards are listed", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 40 }),
        fc.infiniteStream(fc.nat()),
        (key, count, order) => {
          const listed = shards(count)
            .map((shard) => ({ shard, place: order.next().value }))
            .sort((a, b) => a.place - b.place)
            .map(({ shard }) => shard);
          const found = new ShardMap("s", listed).shardOf(key);
          const expected = listed.find(
            (shard) =>
              hashKey(key) >= BigInt(shard.startHashRangeKey) &&
              hashKey(key) <= BigInt(shard.endHashRangeKey),
          );
          assert.equal(found, expected?.shardId);
        },
      ),
    );
  });
});
