import assert from "node:assert/strict";
import {
  AppendRequest,
  AppendResponse,
  isMalformed,
  StreamingFetchRequest,
  StreamingFetchResponse,
} from "@hstream/proto";
import fc from "fast-check";
import { decodeAppendRequest, encodeAppendResponse } from "./append-codec.js";
import { decodeFetchRequest, deliveryBytes, encodeDelivery, encodePassingDelivery } from "./fetch-codec.js";

const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const count = fc.integer({ min: 1, max: 300 });
const bytes = fc.uint8Array({ maxLength: 400 });

describe("codecs of the calls that carry records", () => {
  it("read an AppendRequest as the generated code does", () => {
    fc.assert(
      fc.property(
        fc.string(),
        id,
        bytes,
        count,
        fc.constantFrom(0, 1, 2),
        (streamName, shardId, payload, n, type) => {
          const records = { batchSize: n, payload, compressionType: type as 0 };
          const encoded = AppendRequest.encode({ streamName, shardId: BigInt(shardId), records }).finish();
          const decoded = decodeAppendRequest(Buffer.from(encoded));
          assert.ok(!isMalformed(decoded));
          const name = AppendRequest.decode(encoded).streamName;
          assert.deepEqual([decoded.streamName, decoded.shardId], [name, shardId]);
          const { batchSize, compressionType, payload: view = [] } = decoded.records ?? {};
          assert.deepEqual([batchSize, compressionType, [...view]], [n, type, [...payload]]);
        },
      ),
    );
  });

  it("write an AppendResponse that the generated code reads", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        id,
        id,
        count,
        (streamName, shardId, batchId, recordCount) => {
          const decoded = AppendResponse.decode(
            encodeAppendResponse({ streamName, shardId, batchId, recordCount }),
          );
          assert.deepEqual([decoded.streamName, decoded.shardId], [streamName, BigInt(shardId)]);
          const ids = Array.from({ length: recordCount }, (_, batchIndex) => ({
            shardId: BigInt(shardId),
            batchId: BigInt(batchId),
            batchIndex,
          }));
          assert.deepEqual(decoded.recordIds, ids);
        },
      ),
    );
  });

  it("read a StreamingFetchRequest as the generated code does", () => {
    const ackId = fc
      .tuple(id, id, fc.nat({ max: 70_000 }))
      .map(([shardId, batchId, index]) => ({ shardId, batchId, index }));
    const few = [0, 1, 2, 300].flatMap((index) =>
      [7, 2 ** 52 + 1].map((batchId) => ({ shardId: 2 ** 52, batchId, index })),
    );
    const whole = fc
      .tuple(
        fc.constantFrom(2 ** 52, 2 ** 52 + 77, 9),
        fc.integer({ min: 10 ** 15, max: 10 ** 15 + 300 }),
        fc.constantFrom(1, 2, 100, 130),
        fc.nat({ max: 3 }),
      )
      .map(([shardId, batchId, n, more]) =>
        Array.from({ length: n + (more === 1 ? 1 : 0) }, (_, index) => ({
          shardId,
          batchId,
          // Sometimes the last one is another one, or there is one more.
          index: more === 2 && index === n - 1 ? index + 5 : index,
        })),
      );
    const batches = fc.array(whole, { maxLength: 12 }).map((groups) => groups.flat());
    fc.assert(
      // Mostly many records of few batches, or all of several batches, as clients ack them.
      fc.property(fc.oneof(fc.array(ackId), fc.array(fc.constantFrom(...few)), batches), (acks) => {
        const ackIds = acks.map(({ shardId, batchId, index }) => ({
          shardId: BigInt(shardId),
          batchId: BigInt(batchId),
          batchIndex: index,
        }));
        const message = { subscriptionId: "sub", consumerName: "ç", ackIds };
        const decoded = decodeFetchRequest(Buffer.from(StreamingFetchRequest.encode(message).finish()));
        assert.ok(!isMalformed(decoded));
        const { subscriptionId, consumerName, ackCount } = decoded;
        assert.deepEqual([subscriptionId, consumerName, ackCount], ["sub", "ç", acks.length]);
        const found = decoded.acks.flatMap(({ shardId, batchId, indexes }) =>
          indexes.map((index) => ({ shardId, batchId, index })),
        );
        assert.deepEqual(found, acks);
      }),
    );
  });

  it("write a delivery that the generated code reads", () => {
    const some = fc
      .uniqueArray(fc.nat({ max: 65_535 }), { minLength: 1 })
      .map((places) => places.sort((a, b) => a - b));
    const all = fc.constantFrom(1, 2, 300, 1_024, 1_025).map((n) => Array.from({ length: n }, (_, i) => i));
    const indexes = fc.oneof(some, all);
    // Mostly batches of few shards one after the other, as they are stored.
    const stored = fc.integer({ min: 10 ** 15, max: 10 ** 15 + 1_000 });
    const storedId = fc.oneof(fc.constantFrom(2 ** 52, 2 ** 52 + 1), stored, id);
    const timeMs = fc.integer({ min: 0, max: 4_000_000_000_000 });
    fc.assert(
      fc.property(storedId, storedId, indexes, timeMs, bytes, (shardId, batchId, places, time, payload) => {
        const delivery = { shardId, batchId, timeMs: time, compression: 2, payload, indexes: places };
        const encoded = encodeDelivery(delivery);
        assert.ok(encoded.length <= deliveryBytes(delivery));
        assert.deepEqual(encodePassingDelivery(delivery), encoded);
        const { receivedRecords } = StreamingFetchResponse.decode(encoded);
        const ids = receivedRecords?.recordIds.map((each) => [each.shardId, each.batchId, each.batchIndex]);
        assert.deepEqual(
          ids,
          places.map((index) => [BigInt(shardId), BigInt(batchId), index]),
        );
        const { batchSize, compressionType, payload: read, publishTime } = receivedRecords?.record ?? {};
        assert.deepEqual([batchSize, compressionType, [...(read ?? [])]], [places.length, 2, [...payload]]);
        const { seconds = 0n, nanos = 0 } = publishTime ?? {};
        assert.equal(Number(seconds) * 1_000 + nanos / 1_000_000, time);
      }),
    );
  });

  it("say what is malformed instead of throwing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        const append = decodeAppendRequest(Buffer.from(noise));
        assert.ok(isMalformed(append) || typeof append.streamName === "string");
        const fetch = decodeFetchRequest(Buffer.from(noise));
        assert.ok(isMalformed(fetch) || Array.isArray(fetch.acks));
      }),
    );
  });
});
