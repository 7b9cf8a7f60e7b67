import fc from "fast-check";
import type { SqlValue } from "../types/sql-value.js";
import { decimal, float, integer } from "../values/numbers.js";

const text = fc.string({ unit: "binary", maxLength: 8 });
const wholeMs = fc.integer({ min: -8_000_000_000_000, max: 8_000_000_000_000 });

const numbers: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(integer),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(float),
  fc.constantFrom(0.1, 0.25, -0.5, 1e308, 5e-324, 2 ** 53, 2 ** 60),
);

const decimals: fc.Arbitrary<SqlValue> = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 40 }))
  .map(([unscaled, scale]) => decimal(unscaled, scale));

const moments: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.integer({ min: -700_000, max: 2_900_000 }).map((days): SqlValue => ({ kind: "date", days })),
  fc.integer({ min: 0, max: 86_399_999 }).map((ms): SqlValue => ({ kind: "time", ms })),
  wholeMs.map((ms): SqlValue => ({ kind: "timestamp", ms })),
  fc
    .tuple(fc.integer({ min: -100, max: 100 }), wholeMs)
    .map(([months, ms]): SqlValue => ({ kind: "interval", months, ms })),
);

const scalars: fc.Arbitrary<SqlValue> = fc.oneof(
  { weight: 3, arbitrary: numbers },
  { weight: 1, arbitrary: decimals },
  { weight: 3, arbitrary: text },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((bytes): SqlValue => Uint8Array.from(bytes)) },
  { weight: 2, arbitrary: moments },
);

/** SQL values of every type, edges and nesting included. */
export const sqlValues: fc.Arbitrary<SqlValue> = fc.letrec<{ value: SqlValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: "sql" },
    { weight: 6, arbitrary: scalars },
    { weight: 1, arbitrary: fc.array(tie("value"), { maxLength: 4, depthIdentifier: "sql" }) },
    {
      weight: 1,
      arbitrary: fc
        .array(
          fc.tuple(fc.oneof(text, fc.constantFrom("$date", "$$date", "$binary", "__proto__")), tie("value")),
          {
            maxLength: 4,
            depthIdentifier: "sql",
          },
        )
        .map((fields): SqlValue => new Map(fields)),
    },
  ),
})).value;

/** Values of which many are equal. */
export const smallValues: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constantFrom<SqlValue>(null, true, false, 0, 1, 2, 1.5, "", "a", "b", decimal(15n, 1), decimal(1n, 0)),
  sqlValues,
);
