import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { smallValues, sqlValues } from "../testing/arbitrary.js";
import type { SqlValue } from "../types/sql-value.js";
import {
  BOOLEAN,
  BYTEA,
  DATE,
  DECIMAL,
  FLOAT,
  INTEGER,
  INTERVAL,
  JSONB,
  STRING,
  TIME,
  TIMESTAMP,
  arrayOf,
} from "../types/types.js";
import { addInterval, intervalText, parseInterval, parseTimestamp, timestampText } from "./calendar.js";
import { cast } from "./cast.js";
import { compareSql, compareText, compareTotal, equalSql } from "./compare.js";
import { fromJson, parseJson } from "./json.js";
import { arithmetic, decimal } from "./numbers.js";
import { fromStored, toStored } from "./stored.js";
import { toPlainJson, toStoredJson, toText } from "./text.js";

/** Equal in type and value, form of numbers included. */
const same = (a: SqlValue, b: SqlValue): void => assert.deepEqual(a, b);

describe("stored form", () => {
  it("reads back as the same value", () => {
    fc.assert(
      fc.property(sqlValues, (value) => same(fromStored(toStored(value)), value)),
      { numRuns: runs(2000) },
    );
  });

  it("reads back through JSON text", () => {
    fc.assert(
      fc.property(sqlValues, (value) => {
        const parsed = parseJson(toStoredJson(value));
        assert(parsed.kind === "value");
        same(parsed.value, value);
      }),
      { numRuns: runs(2000) },
    );
  });

  it("has a wrapper for each type that JSON lacks", () => {
    const forms: readonly (readonly [SqlValue, string])[] = [
      [9007199254740993n, '{"$numberLong":"9007199254740993"}'],
      [decimal(15n, 1), '{"$numberDecimal":"1.5"}'],
      [Uint8Array.from([1, 2]), '{"$binary":{"base64":"AQI=","subType":"00"}}'],
      [{ kind: "date", days: 0 }, '{"$date":"1970-01-01"}'],
      [{ kind: "time", ms: 1500 }, '{"$time":"00:00:01.500"}'],
      [{ kind: "timestamp", ms: 0 }, '{"$timestamp":"1970-01-01T00:00:00Z"}'],
      [{ kind: "interval", months: 1, ms: 5000 }, '{"$interval":"P1MT5S"}'],
      [new Map([["$date", "x"]]), '{"$$date":"x"}'],
      [new Map([["$$date", "x"]]), '{"$$$date":"x"}'],
      [2 ** 60, "1.152921504606847e+18"],
      [
        new Map([
          ["$date", 1],
          ["b", 2],
        ]),
        '{"$date":1,"b":2}',
      ],
    ];
    for (const [value, text] of forms) assert.equal(toStoredJson(value), text);
  });

  it("reads the wrappers of older records", () => {
    same(
      fromJson({ a: { $numberDouble: "1.5" }, b: { $numberLong: "7" } }),
      new Map<string, SqlValue>([
        ["a", 1.5],
        ["b", 7],
      ]),
    );
    same(fromJson({ $timestamp: "2023-06-30T12:30:45+02:00" }), parseTimestamp("2023-06-30T10:30:45Z"));
    same(fromJson({ $date: "not one" }), new Map([["$date", "not one"]]));
  });

  it("cannot be fooled by __proto__", () => {
    const parsed = parseJson('{"__proto__": {"a": 1}}');
    assert(parsed.kind === "value" && parsed.value instanceof Map);
    assert.deepEqual([...parsed.value.keys()], ["__proto__"]);
  });
});

describe("JSON reader", () => {
  it("agrees with JSON.parse on any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (json) => {
        const text = JSON.stringify(json);
        // There we keep digits that JSON.parse drops.
        fc.pre(!/\d{16}/.test(text));
        const parsed = parseJson(text);
        assert(parsed.kind === "value");
        assert.equal(compareTotal(parsed.value, fromJson(JSON.parse(text))), 0);
      }),
    );
  });

  it("refuses what JSON.parse refuses", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'{}[]:,"\\ntrue1-.e '.split("")), { maxLength: 12 }),
        (chars) => {
          const text = chars.join("");
          let valid = true;
          try {
            JSON.parse(text);
          } catch {
            valid = false;
          }
          if (parseJson(text).kind === "value") assert(valid, text);
          else if (valid) assert(!Number.isFinite(Number(text)) || text.trim() === "", text);
        },
      ),
      { numRuns: runs(3000) },
    );
  });

  it("says where a text goes wrong, and bounds its depth", () => {
    assert.deepEqual(parseJson('{"a": }'), { kind: "invalid", message: "JSON value expected", offset: 6 });
    assert.equal(parseJson("[".repeat(100_000)).kind, "invalid");
  });
});

describe("order of values", () => {
  it("is total", () => {
    fc.assert(
      fc.property(smallValues, smallValues, smallValues, (a, b, c) => {
        assert.equal(Math.sign(compareTotal(a, b)) + Math.sign(compareTotal(b, a)), 0);
        if (compareTotal(a, b) <= 0 && compareTotal(b, c) <= 0) assert(compareTotal(a, c) <= 0);
        assert.equal(compareTotal(a, a), 0);
      }),
      { numRuns: runs(3000) },
    );
  });

  it("sorts text by code point", () => {
    assert(compareText("\u{ffff}", "\u{1f600}") < 0);
    assert(compareText("a", "ab") < 0);
  });

  it("puts objects first and NULL last", () => {
    const values: SqlValue[] = [null, true, 1, "a", [1], new Map()];
    same(values.sort(compareTotal), [new Map(), [1], "a", 1, true, null]);
  });

  it("is three-valued in SQL", () => {
    assert.equal(equalSql(null, null), null);
    assert.equal(equalSql(1, "1"), false);
    assert.equal(equalSql(1, decimal(10n, 1)), true);
    assert.equal(compareSql(1, "1"), undefined);
    assert.equal(compareSql(9007199254740993n, 9007199254740992), 1);
    assert.equal(compareSql({ kind: "date", days: 1 }, { kind: "timestamp", ms: 86_400_000 }), 0);
  });
});

describe("arithmetic", () => {
  it("is exact on integers, or refuses", () => {
    const wide = fc.oneof(
      fc.maxSafeInteger().map(BigInt),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    );
    fc.assert(
      fc.property(
        wide,
        wide,
        fc.constantFrom("+" as const, "-" as const, "*" as const),
        (a, b, operation) => {
          const form = (value: bigint): number | bigint =>
            Number.isSafeInteger(Number(value)) ? Number(value) : value;
          const exact = operation === "+" ? a + b : operation === "-" ? a - b : a * b;
          const result = arithmetic(operation, form(a), form(b));
          if (exact > 2n ** 63n - 1n || exact < -(2n ** 63n)) assert.equal(result, null);
          else assert(typeof result !== "object" && result !== null && BigInt(result) === exact);
        },
      ),
    );
  });

  it("keeps decimals exact and floats finite", () => {
    same(arithmetic("+", decimal(1n, 1) ?? 0, decimal(2n, 1) ?? 0), decimal(3n, 1));
    assert.equal(arithmetic("*", 1e308, 10), null);
    assert.equal(Object.is(arithmetic("*", 0, -1), 0), true);
  });
});

describe("cast", () => {
  const cases: readonly (readonly [SqlValue, Parameters<typeof cast>[1], SqlValue | "error"])[] = [
    [-1.5, INTEGER, -2],
    ["12", INTEGER, 12],
    ["1.5", INTEGER, "error"],
    ["9223372036854775807", INTEGER, 9223372036854775807n],
    ["9223372036854775808", INTEGER, "error"],
    [1e300, INTEGER, "error"],
    [true, INTEGER, 1],
    ["1e3", FLOAT, 1000],
    [" ", FLOAT, "error"],
    ["0.1", DECIMAL, decimal(1n, 1)],
    [0.1, DECIMAL, decimal(1n, 1)],
    ["t", BOOLEAN, true],
    ["yes", BOOLEAN, "error"],
    [0, BOOLEAN, false],
    [null, STRING, null],
    [1.5, STRING, "1.5"],
    ["a", BYTEA, "error"],
    ["2024-02-30", DATE, "error"],
    ["2024-02-29", DATE, { kind: "date", days: 19782 }],
    [{ kind: "timestamp", ms: -1 }, DATE, { kind: "date", days: -1 }],
    [{ kind: "timestamp", ms: -1 }, TIME, { kind: "time", ms: 86_399_999 }],
    [{ kind: "date", days: 1 }, TIMESTAMP, { kind: "timestamp", ms: 86_400_000 }],
    ["P1DT2H", INTERVAL, { kind: "interval", months: 0, ms: 93_600_000 }],
    [1.5, INTERVAL, { kind: "interval", months: 0, ms: 1500 }],
    ['{"a":1}', JSONB, new Map([["a", 1]])],
    ["{", JSONB, "error"],
    [["1", "2"], arrayOf(INTEGER), [1, 2]],
    [1, arrayOf(INTEGER), "error"],
  ];
  for (const [value, type, expected] of cases) {
    it(`${toText(value)} to ${type.kind} is ${expected === "error" ? "an error" : toText(expected)}`, () => {
      let message: string | undefined;
      const result = cast(value, type, {
        error: (text) => {
          message = text;
          return null;
        },
      });
      if (expected === "error") assert(message !== undefined && result === null);
      else {
        assert.equal(message, undefined);
        same(result, expected);
      }
    });
  }
});

describe("calendar", () => {
  it("reads back the text of timestamps and intervals", () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (ms) => {
        same(parseTimestamp(timestampText({ kind: "timestamp", ms })), { kind: "timestamp", ms });
        const interval = { kind: "interval", months: ms % 1000, ms } as const;
        same(parseInterval(intervalText(interval)), { ...interval, months: interval.months + 0 });
      }),
    );
  });

  it("reads every way to write an interval", () => {
    for (const text of ["5 SECOND", "5 seconds", "PT5S", "0:0:5"])
      same(parseInterval(text), { kind: "interval", months: 0, ms: 5000 });
    same(parseInterval("2021-1-1 0:0:5"), { kind: "interval", months: 24253, ms: 86_405_000 });
  });

  it("adds months by the calendar", () => {
    const at = (text: string): number => parseTimestamp(text)?.ms ?? 0;
    const month = { kind: "interval", months: 1, ms: 0 } as const;
    assert.equal(addInterval(at("2024-01-31"), month, 1)?.ms, at("2024-02-29"));
    assert.equal(addInterval(at("2024-03-31"), month, -1)?.ms, at("2024-02-29"));
    assert.equal(addInterval(at("2023-12-15T10:00Z"), month, 1)?.ms, at("2024-01-15T10:00Z"));
  });
});

describe("plain JSON", () => {
  it("writes moments as texts", () => {
    assert.equal(
      toPlainJson(
        new Map<string, SqlValue>([
          ["d", { kind: "date", days: 0 }],
          ["n", 2n ** 60n],
        ]),
      ),
      '{"d":"1970-01-01","n":1152921504606846976}',
    );
  });
});
