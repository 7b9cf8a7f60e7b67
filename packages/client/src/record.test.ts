import assert from "node:assert/strict";
import fc from "fast-check";
import { HStreamClientError } from "./errors.js";
import { decodeBatch, encodeBatch, type JsonObject, prepareRecord } from "./record.js";

const json = fc.dictionary(
  fc.string({ unit: "grapheme" }),
  fc.jsonValue({ maxDepth: 3, stringUnit: "grapheme" }),
  { noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

describe("a batch of records", () => {
  it("reads back as it was written, compressed or not", async () => {
    const record = fc.oneof(json, fc.uint8Array());
    const compression = fc.constantFrom("none" as const, "gzip" as const);
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
            else assert.deepEqual(decoded[place]?.json, JSON.parse(JSON.stringify(one)));
          });
        },
      ),
    );
  });

  it("never fails in other words than ours, whatever arrives", async () => {
    const batch = fc.record({
      compressionType: fc.constantFrom(0, 1, 2, 7),
      batchSize: fc.nat(),
      payload: fc.uint8Array(),
      publishTime: fc.constant(undefined),
    });
    await fc.assert(
      fc.asyncProperty(batch, async (arrived) => {
        try {
          await decodeBatch(arrived as Parameters<typeof decodeBatch>[0]);
        } catch (error) {
          assert(error instanceof HStreamClientError, String(error));
          assert.equal(error.reason, "protocol");
        }
      }),
    );
  });

  it("refuses what JSON cannot carry, in words", () => {
    for (const wrong of [{ a: 1n }, { a: () => 1 }, [1], null, "x"]) {
      assert.throws(() => prepareRecord(wrong as unknown as JsonObject), { reason: "usage" });
    }
  });
});
