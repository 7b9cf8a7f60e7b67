import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { smallValues, sqlValues } from "../testing/arbitrary.js";
import type { SqlValue } from "../types/sql-value.js";
import { DECIMAL, FLOAT, INTEGER } from "../types/types.js";
import { compareTotal } from "./compare.js";
import { decimal } from "./numbers.js";
import { decodeRowKey, encodeRowKey, rowKeyText } from "./row-key.js";

const rows = fc.array(smallValues, { maxLength: 4 });

function compareRows(a: readonly SqlValue[], b: readonly SqlValue[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareTotal(a[i] ?? null, b[i] ?? null);
    if (order !== 0) return Math.sign(order);
  }
  return Math.sign(a.length - b.length);
}

describe("row key", () => {
  it("orders bytes as values order", () => {
    fc.assert(
      fc.property(rows, rows, (a, b) => {
        assert.equal(Math.sign(Buffer.compare(encodeRowKey(a), encodeRowKey(b))), compareRows(a, b));
      }),
      { numRuns: runs(3000) },
    );
  });

  it("reads back as an equal row", () => {
    fc.assert(
      fc.property(fc.array(sqlValues, { maxLength: 4 }), (row) => {
        assert.equal(compareRows(decodeRowKey(encodeRowKey(row)), row), 0);
      }),
      { numRuns: runs(2000) },
    );
  });

  it("gives equal numbers of different forms one key", () => {
    assert.equal(rowKeyText([1]), rowKeyText([decimal(1n, 0)]));
    assert.equal(rowKeyText([2 ** 60]), rowKeyText([2n ** 60n]));
    assert.equal(rowKeyText([0.5]), rowKeyText([decimal(5n, 1)]));
    // A tenth is no double.
    assert.notEqual(rowKeyText([0.1]), rowKeyText([decimal(1n, 1)]));
  });

  it("reads numbers back in the form of their type", () => {
    const key = encodeRowKey([2 ** 60]);
    assert.deepEqual(decodeRowKey(key, [INTEGER]), [2n ** 60n]);
    assert.deepEqual(decodeRowKey(key, [FLOAT]), [2 ** 60]);
    assert.deepEqual(decodeRowKey(encodeRowKey([1]), [DECIMAL]), [decimal(1n, 0)]);
  });

  it("has its layout pinned", () => {
    const hex = (value: SqlValue): string => Buffer.from(encodeRowKey([value])).toString("hex");
    assert.equal(hex(null), "0b");
    assert.equal(hex(true), "0a01");
    assert.equal(hex(1), "09bff000000000000000");
    assert.equal(hex(-1), "09400fffffffffffff00");
    assert.equal(hex("a\0"), "036100ff0001");
    assert.equal(hex([1]), "020109bff00000000000000000");
    assert.equal(hex(new Map([["a", null]])), "01016100010b00");
    assert.equal(hex({ kind: "date", days: 0 }), "058000000000000000");
    assert.equal(hex(9007199254740993n), "09c340000000000000018001" + "0200");
  });
});
