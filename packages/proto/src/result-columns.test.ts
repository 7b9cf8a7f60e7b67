import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "./testing/runs.js";
import { hostile, text } from "./arbitrary-bytes.test.helper.js";
import { AssertionFailure } from "./assert.js";
import { type ColumnData, RowBatch } from "./generated/hstream_ext.js";
import { codecLimits } from "./limits.js";
import { isMalformed } from "./malformed.js";
import {
  type Column,
  decodeColumn,
  decodeRowBatch,
  encodeColumn,
  type JsonValue,
  toRows,
} from "./result-columns.js";

interface Case {
  readonly column: Column;
  readonly rowCount: number;
  /** What the reader must give; a bigint is compared by value. */
  readonly cells: readonly unknown[];
}

function bitmap(isNull: readonly boolean[]): Uint8Array {
  const bits = new Uint8Array((isNull.length + 7) >> 3);
  isNull.forEach((set, row) => {
    if (set) bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
  });
  return bits;
}

/** A column of optional values, and what shall come out of it. */
function caseOf<T>(
  value: fc.Arbitrary<T>,
  build: (values: readonly (T | undefined)[], nulls: { nulls?: Uint8Array }) => Column,
  cell: (value: T) => unknown = (v) => v,
): fc.Arbitrary<Case> {
  return fc.array(fc.option(value, { nil: undefined }), { maxLength: 40 }).map((values) => {
    const isNull = values.map((v) => v === undefined);
    const nulls = isNull.includes(true) ? { nulls: bitmap(isNull) } : {};
    return {
      column: build(values, nulls),
      rowCount: values.length,
      cells: values.map((v) => (v === undefined ? null : cell(v))),
    };
  });
}

const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), -(2n ** 53n) - 1n),
);
const numberOrBig = (v: bigint) => (v >= -(2n ** 53n) && v <= 2n ** 53n ? Number(v) : v);
const json = fc.jsonValue({ maxDepth: 3 }).map((v) => JSON.parse(JSON.stringify(v)) as JsonValue);

const cases: fc.Arbitrary<Case> = fc.oneof(
  caseOf(fc.double(), (v, nulls) => ({
    kind: "float64",
    values: Float64Array.from(v, (x) => x ?? Number.NaN),
    ...nulls,
  })),
  caseOf(
    int64,
    (v, nulls) => ({ kind: "int64", values: BigInt64Array.from(v, (x) => x ?? 7n), ...nulls }),
    numberOrBig,
  ),
  caseOf(fc.maxSafeInteger(), (v, nulls) => ({
    kind: "int64",
    values: Float64Array.from(v, (x) => x ?? Number.NaN),
    ...nulls,
  })),
  caseOf(fc.boolean(), (v, nulls) => ({
    kind: "boolean",
    values: Uint8Array.from(v, (x) => (x ? 1 : 0)),
    ...nulls,
  })),
  caseOf(text, (v) => ({ kind: "text", values: v.map((x) => x ?? null) })),
  caseOf(json, (v) => ({ kind: "json", values: v })),
  caseOf(
    text,
    (v, nulls) => {
      const parts = v.map((x) => Buffer.from(x ?? ""));
      const ends = parts.map((_, row) => parts.slice(0, row + 1).reduce((sum, part) => sum + part.length, 0));
      return {
        kind: "encoded",
        as: "text",
        offsets: Uint32Array.of(0, ...ends),
        bytes: Buffer.concat(parts),
        ...nulls,
      };
    },
    (v) => Buffer.from(v).toString(),
  ),
  fc.nat(40).map(
    (rowCount): Case => ({
      column: { kind: "allNull" },
      rowCount,
      cells: Array<null>(rowCount).fill(null),
    }),
  ),
);

function viaWire(batch: RowBatch): RowBatch {
  return RowBatch.decode(RowBatch.encode(batch).finish());
}

function batchOf(rowCount: number, columns: ColumnData[]): RowBatch {
  return { rowCount, addedColumns: [], columns, operations: new Uint8Array(0) };
}

describe("result columns", () => {
  it("give back every kind of value over the wire", () => {
    fc.assert(
      fc.property(cases, ({ column, rowCount, cells }) => {
        const batch = viaWire(batchOf(rowCount, [encodeColumn(column, rowCount)]));
        const rows = decodeRowBatch(batch);
        assert.ok(rows.kind === "rows");
        assert.deepEqual(
          toRows(rows).map(([cell]) => cell),
          cells,
        );
      }),
      { numRuns: runs(500) },
    );
  });

  it("tell SQL's NULL from JSON's null", () => {
    const column = decodeColumn(encodeColumn({ kind: "json", values: [null, undefined] }, 2), 2);
    assert.ok(!isMalformed(column));
    assert.deepEqual([column.isNull(0), column.isNull(1)], [false, true]);
  });

  it("share the memory of packed numbers", () => {
    const values = Float64Array.of(1, 2);
    const { values: encoded } = encodeColumn({ kind: "float64", values }, 2);
    assert.ok(encoded?.$case === "float64" && encoded.value.buffer === values.buffer);
  });

  it("refuse columns that break the law on the sending side", () => {
    for (const [column, rowCount] of [
      [{ kind: "float64", values: new Float64Array(1) }, 2],
      [{ kind: "float64", values: new Float64Array(9), nulls: new Uint8Array(1) }, 9],
      [{ kind: "int64", values: Float64Array.of(0.5) }, 1],
      [{ kind: "int64", values: Float64Array.of(2 ** 53) }, 1],
    ] as const) {
      assert.throws(() => encodeColumn(column, rowCount), AssertionFailure);
    }
  });

  it("take columns that are left out at the end for NULL", () => {
    const rows = decodeRowBatch(batchOf(2, [encodeColumn({ kind: "text", values: ["a", "b"] }, 2)]), 2);
    assert.ok(rows.kind === "rows");
    assert.deepEqual(toRows(rows), [
      ["a", null],
      ["b", null],
    ]);
  });

  it("read operations, of which none means inserts only", () => {
    const rows = decodeRowBatch({ ...batchOf(2, []), operations: Uint8Array.of(0, 1) });
    assert.ok(rows.kind === "rows");
    assert.deepEqual([rows.isDelete(0), rows.isDelete(1)], [false, true]);
    const inserts = decodeRowBatch(batchOf(1, []));
    assert.ok(inserts.kind === "rows" && !inserts.isDelete(0));
  });

  const offsets = (...list: number[]) => new Uint8Array(Uint32Array.from(list).buffer);
  const none = new Uint8Array(0);
  for (const [what, batch] of [
    ["too many rows", batchOf(codecLimits.resultBatchRowsMax + 1, [])],
    [
      "too few numbers",
      batchOf(2, [{ nulls: none, values: { $case: "float64", value: new Uint8Array(15) } }]),
    ],
    [
      "too many integers",
      batchOf(1, [{ nulls: none, values: { $case: "int64", value: new Uint8Array(16) } }]),
    ],
    [
      "too few booleans",
      batchOf(2, [{ nulls: none, values: { $case: "booleans", value: new Uint8Array(1) } }]),
    ],
    [
      "a short null bitmap",
      batchOf(9, [{ nulls: new Uint8Array(1), values: { $case: "booleans", value: new Uint8Array(9) } }]),
    ],
    ["no values", batchOf(1, [{ nulls: none }])],
    [
      "too few offsets",
      batchOf(1, [{ nulls: none, values: { $case: "text", value: { offsets: offsets(0), bytes: none } } }]),
    ],
    [
      "offsets that go back",
      batchOf(2, [
        {
          nulls: none,
          values: { $case: "text", value: { offsets: offsets(0, 2, 1), bytes: new Uint8Array(2) } },
        },
      ]),
    ],
    [
      "offsets beyond the bytes",
      batchOf(1, [
        {
          nulls: none,
          values: { $case: "text", value: { offsets: offsets(0, 3), bytes: new Uint8Array(2) } },
        },
      ]),
    ],
    [
      "broken JSON",
      batchOf(1, [
        {
          nulls: none,
          values: { $case: "json", value: { offsets: offsets(0, 1), bytes: Buffer.from("{") } },
        },
      ]),
    ],
    ["too few operations", { ...batchOf(2, []), operations: new Uint8Array(1) }],
    ["an unknown operation", { ...batchOf(1, []), operations: Uint8Array.of(2) }],
  ] as const) {
    it(`refuse ${what}`, () => assert.equal(decodeRowBatch(batch).kind, "malformed"));
  }

  it("refuse more columns than were announced", () => {
    const column = encodeColumn({ kind: "allNull" }, 1);
    assert.equal(decodeRowBatch(batchOf(1, [column, column]), 1).kind, "malformed");
  });

  it("never fail on a row of a batch that was accepted, whatever the bytes", () => {
    const valid = cases.map(({ column, rowCount }) =>
      RowBatch.encode(batchOf(rowCount, [encodeColumn(column, rowCount)])).finish(),
    );
    fc.assert(
      fc.property(hostile(valid), (bytes) => {
        let batch: RowBatch;
        try {
          batch = RowBatch.decode(bytes);
        } catch {
          return;
        }
        if (batch.rowCount > 10_000) return;
        const rows = decodeRowBatch(batch);
        if (rows.kind === "rows") assert.equal(toRows(rows).length, batch.rowCount);
      }),
      { numRuns: runs(2_000) },
    );
  });
});
