import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { HStreamClientError } from "../errors.js";
import { decodeBatch } from "./decode.test.helper.js";
import { BatchDecoder, ReceivedRecord } from "./received-record.js";
import { encodeBatch, type JsonObject, prepareRecord } from "./record.js";
import { anyRecord, jsonRecord, recordOf, textRecord } from "./record-type.js";

const json = fc.dictionary(
  fc.string({ unit: "grapheme" }),
  fc.jsonValue({ maxDepth: 3, stringUnit: "grapheme" }),
  { noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

describe("a batch of records", () => {
  it("reads back as it was written, compressed or not", async () => {
    const record = fc.oneof(json, fc.uint8Array());
    const compression = fc.constantFrom("none" as const, "gzip" as const, "zstd" as const);
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1 }),
        fc.string(),
        compression,
        async (records, key, how) => {
          const batch = await encodeBatch(
            records.map((one) => prepareRecord(one, { key })),
            how,
          );
          const decoded = await decodeBatch(batch);
          assert.equal(batch.batchSize, records.length);
          assert.equal(decoded.length, records.length);
          records.forEach((one, place) => {
            assert.equal(decoded[place]?.key, key);
            if (one instanceof Uint8Array) assert.deepEqual([...(decoded[place]?.payload ?? [])], [...one]);
            // JSON's text has no negative zero, but the record does.
            else assert.deepEqual(decoded[place]?.json, one);
          });
        },
      ),
      { examples: [[[{ a: [-0] }], "", "none"]] },
    );
  });

  it("never fails in other words than ours, whatever arrives", async () => {
    const decoder = await BatchDecoder.load();
    const batch = fc.record({
      compressionType: fc.constantFrom(0, 1, 2, 7),
      batchSize: fc.nat(),
      payload: fc.uint8Array(),
      publishTime: fc.constant(undefined),
    });
    const ids = [{ shardId: 1n, batchId: 2n, batchIndex: 3 }];
    fc.assert(
      fc.property(batch, (arrived) => {
        const [record] = decoder.decode(
          arrived as Parameters<typeof decoder.decode>[0],
          ids,
          (id, at, content) => new ReceivedRecord(id, at, anyRecord, content),
        );
        assert.equal(record?.id, "1-2-3");
        try {
          void record.value;
        } catch (error) {
          assert(error instanceof HStreamClientError, String(error));
          assert.equal(error.reason, "record");
        }
      }),
      { numRuns: runs(200) },
    );
  });

  it("refuses what JSON cannot carry, in words", () => {
    for (const wrong of [{ a: 1n }, { a: () => 1 }, [1], null, "x"]) {
      assert.throws(() => prepareRecord(wrong as unknown as JsonObject), { reason: "usage" });
    }
  });
});

interface Order {
  readonly customer: string;
  readonly price: number;
}

describe("a record's type", () => {
  const orders = jsonRecord<Order>({
    key: ({ customer }) => customer,
    parse: (fields) => {
      const { price } = fields as Partial<Order>;
      if (typeof price !== "number") throw new Error("a price is a number");
      return fields as Order;
    },
  });
  const received = async (record: JsonObject | Uint8Array, type: typeof orders) => {
    const decoder = await BatchDecoder.load();
    const batch = await encodeBatch([prepareRecord(record)], "none");
    const id = { shardId: 1n, batchId: 2n, batchIndex: 0 };
    const [one] = decoder.decode(batch, [id], (id, at, content) => new ReceivedRecord(id, at, type, content));
    assert.ok(one !== undefined);
    return one;
  };

  it("gives a value its key, and makes a value of a record", async () => {
    const order: Order = { customer: "ada", price: 3 };
    assert.deepEqual(recordOf(orders, order), { record: order, key: "ada" });
    assert.deepEqual((await received({ ...order }, orders)).value, order);
  });

  it("refuses what is not of it, where its value is asked for", async () => {
    const wrong = await received({ customer: "ada" }, orders);
    assert.throws(() => wrong.value, { reason: "record", message: /a price is a number/ });
    assert.deepEqual(wrong.json, { customer: "ada" });
    const raw = await received(Uint8Array.of(1), orders);
    assert.throws(() => raw.value, { reason: "record", message: /raw, not JSON/ });
  });

  it("of text is UTF-8 in raw records", () => {
    const type = textRecord({ key: (text) => text.slice(0, 1) });
    const { record, key } = recordOf(type, "été");
    assert.equal(key, "é");
    assert(record instanceof Uint8Array);
    const parts = { json: undefined, payload: record, key, attributes: new Map() };
    assert.equal(type.fromRecord(parts), "été");
    assert.throws(() => type.fromRecord({ ...parts, payload: Uint8Array.of(0xff) }));
  });
});
