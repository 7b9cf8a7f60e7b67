import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { exactDecimal } from "../values/numbers.js";
import { decodeRowKey, encodeRowKey } from "../values/row-key.js";
import { ExactSum } from "./exact-sum.js";

const doubles = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
  fc.constantFrom(5e-324, -5e-324, 0.1, -0.1, 1e308, -1e308, 2 ** 900, -(2 ** 899), Number.MAX_VALUE),
);
const times = fc.oneof(fc.constantFrom(1, -1), fc.integer({ min: -1000, max: 1000 }));
const terms = fc.array(fc.tuple(doubles, times), { maxLength: 20 });

/** The sum as a whole number of 10^-1100. */
function exactly(list: readonly (readonly [number, number])[]): bigint {
  let sum = 0n;
  for (const [value, count] of list) {
    const { unscaled, scale } = exactDecimal(value);
    sum += unscaled * 10n ** BigInt(1100 - scale) * BigInt(count);
  }
  return sum;
}

/** The double next to it, by long division. */
function nearestTo(sum: bigint): number {
  const sign = sum < 0n ? "-" : "";
  const digits = (sum < 0n ? -sum : sum).toString();
  return Number(`${sign}${digits}e-1100`);
}

describe("an exact sum of doubles", () => {
  it("is the double next to the sum, rounded once", () => {
    fc.assert(
      fc.property(terms, (list) => {
        const sum = new ExactSum();
        for (const [value, count] of list) sum.add(value, count);
        const expected = nearestTo(exactly(list));
        // At the very end of the doubles a part may be out of range before the whole is.
        if (Math.abs(expected) < 1e308) assert.equal(sum.nearest() + 0, expected + 0);
        else assert(Math.abs(sum.nearest()) >= 1e308);
      }),
      { numRuns: runs(500) },
    );
  });

  it("is zero once all is taken back, even from beyond the doubles", () => {
    fc.assert(
      fc.property(terms, fc.nat(), (list, turn) => {
        const sum = new ExactSum();
        for (const [value, count] of list) sum.add(value, count);
        const backwards = [...list.slice(turn % 21), ...list.slice(0, turn % 21)];
        for (const [value, count] of backwards) sum.add(value, -count);
        assert(sum.isZero());
      }),
      { numRuns: runs(500) },
    );
  });

  it("goes on after it was saved", () => {
    fc.assert(
      fc.property(terms, doubles, (list, more) => {
        const sum = new ExactSum();
        for (const [value, count] of list) sum.add(value, count);
        const loaded = ExactSum.load(decodeRowKey(encodeRowKey([sum.save()]))[0]);
        sum.add(more, 1);
        loaded.add(more, 1);
        assert.equal(loaded.nearest(), sum.nearest());
      }),
      { numRuns: runs(200) },
    );
  });
});
