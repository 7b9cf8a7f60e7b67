import assert from "node:assert/strict";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { runs } from "./testing/runs.js";
import { bigVarintLength, varintLength, writeBigVarint, writeVarint } from "./varint.js";
import { WireCursor } from "./wire-cursor.js";

const unsigned = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(...Array.from({ length: 54 }, (_, bit) => [2 ** bit - 1, 2 ** bit]).flat()),
);

describe("varint", () => {
  it("writes numbers up to 2^53 as protobuf does", () => {
    fc.assert(
      fc.property(unsigned, (value) => {
        const expected = new BinaryWriter().uint64(BigInt(value)).finish();
        const target = new Uint8Array(12).fill(0xee);
        assert.equal(writeVarint(target, 1, value), 1 + expected.length);
        assert.equal(varintLength(value), expected.length);
        assert.deepEqual(target.subarray(1, 1 + expected.length), expected);
        assert.equal(target[1 + expected.length], 0xee);
      }),
    );
  });

  it("writes 64 bits, signed and unsigned, as protobuf does", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const writer = new BinaryWriter();
        const expected = (value < 0n ? writer.int64(value) : writer.uint64(value)).finish();
        const target = new Uint8Array(10);
        assert.equal(writeBigVarint(target, 0, value), expected.length);
        assert.equal(bigVarintLength(value), expected.length);
        assert.deepEqual(target.subarray(0, expected.length), expected);
      }),
    );
  });

  it("reads what was written: numbers up to 2^53, bigints beyond", () => {
    const interesting = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), -(2n ** 53n) - 1n, 2n ** 32n),
    );
    fc.assert(
      fc.property(interesting, (value) => {
        const bytes = new BinaryWriter().int64(value).finish();
        const read = new WireCursor(bytes).int64();
        assert.equal(BigInt(read), value);
        assert.equal(typeof read, value >= -(2n ** 53n) && value <= 2n ** 53n ? "number" : "bigint");
        assert.equal(BigInt(new WireCursor(bytes).uint64()), BigInt.asUintN(64, value));
      }),
    );
  });

  it("reads any bytes as protobuf does, or says that they are malformed where it throws", () => {
    const bytes = fc.array(fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff), { maxLength: 12 });
    fc.assert(
      fc.property(
        bytes.map((list) => Uint8Array.from(list)),
        (input) => {
          for (const read of ["uint32", "uint64"] as const) {
            const reader = new BinaryReader(input);
            const cursor = new WireCursor(input);
            const actual = cursor[read]();
            const failure = cursor.failure;
            if (failure === null) {
              assert.equal(BigInt(actual), BigInt(reader[read]()));
              assert.equal(cursor.position, reader.pos);
            } else {
              assert.equal(failure.kind, "malformed");
              assert.throws(() => reader[read]());
            }
          }
        },
      ),
      { numRuns: runs(1_000) },
    );
  });
});
