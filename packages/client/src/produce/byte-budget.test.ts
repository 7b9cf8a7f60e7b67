import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { ByteBudget } from "./byte-budget.js";

describe("a byte budget", () => {
  it("lets in by order of arrival, and never begins above its maximum", async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 100 }), async (wanted, max) => {
        const budget = new ByteBudget(max);
        const admitted: number[] = [];
        const all = wanted.map(async (bytes, place) => {
          await budget.take(bytes);
          admitted.push(place);
        });
        for (let freed = 0; freed < wanted.length; ) {
          await new Promise((resolve) => setImmediate(resolve));
          const place = admitted[freed];
          assert.ok(place !== undefined, "somebody is let in whenever there is room");
          const largest = wanted[admitted.at(-1) ?? 0] ?? 0;
          assert.ok(budget.inFlight < max + largest);
          budget.give(wanted[place] ?? 0);
          freed += 1;
        }
        await Promise.all(all);
        assert.deepEqual(admitted, [...wanted.keys()]);
        assert.equal(budget.inFlight, 0);
      }),
      { numRuns: runs(50) },
    );
  });

  it("fails those who wait", async () => {
    const budget = new ByteBudget(1);
    assert.equal(budget.take(5), undefined);
    const waiting = budget.take(1);
    budget.fail(new Error("over"));
    await assert.rejects(async () => waiting, { message: "over" });
  });
});
