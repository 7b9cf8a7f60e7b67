import assert from "node:assert/strict";
import * as fc from "fast-check";
import { SortedRuns } from "./sorted-runs.js";

describe("sorted runs", () => {
  it("sort what was added in pieces, and keep the first so many", () => {
    const pieces = fc.array(fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 9 }), { maxLength: 12 });
    const keep = fc.option(fc.nat(20), { nil: undefined });
    fc.assert(
      fc.property(pieces, keep, (added, keepMax) => {
        // Arrival tells equal numbers apart.
        const items = added.flat().map((value, arrival) => ({ value, arrival }));
        const byValue = (a: (typeof items)[0], b: (typeof items)[0]): number =>
          a.value - b.value || a.arrival - b.arrival;
        const dropped: typeof items = [];
        const runs = new SortedRuns(byValue, keepMax, (item) => dropped.push(item));
        let at = 0;
        for (const { length } of added) {
          runs.add(items.slice(at, at + length));
          at += length;
        }
        while (runs.mergeSome());
        const expected = items.toSorted(byValue);
        assert.deepEqual(runs.sorted(), expected.slice(0, keepMax));
        assert.deepEqual(dropped.toSorted(byValue), expected.slice(keepMax ?? items.length));
      }),
    );
  });
});
