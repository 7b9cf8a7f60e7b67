import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { merge } from "./merge.js";

/** Gives each item at once, or after other things have had their turn. */
async function* of(
  source: number,
  items: readonly (readonly [item: number, waits: boolean])[],
): AsyncGenerator<readonly [source: number, item: number], void, undefined> {
  for (const [item, waits] of items) {
    if (waits) await new Promise((resolve) => setImmediate(resolve));
    yield [source, item];
  }
}

describe("merged sources", () => {
  it("give every item once, those of a source in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(fc.nat(), fc.boolean())), { maxLength: 8 }),
        async (lists) => {
          const found = lists.map((): number[] => []);
          for await (const [source, item] of merge(lists.map((list, source) => of(source, list)))) {
            found[source]?.push(item);
          }
          assert.deepEqual(
            found,
            lists.map((list) => list.map(([item]) => item)),
          );
        },
      ),
      { numRuns: runs(50) },
    );
  });

  it("do not run ahead of their reader", async () => {
    let made = 0;
    const endless = async function* () {
      for (;;) yield made++;
    };
    let taken = 0;
    for await (const _ of merge([endless(), endless(), endless()])) {
      taken += 1;
      assert.ok(made <= taken + 3, `${made} made for ${taken}`);
      if (taken === 50) break;
    }
  });

  it("fail with the first that fails, and leave the others", async () => {
    let left = false;
    const other = async function* () {
      try {
        for (;;) yield 1;
      } finally {
        left = true;
      }
    };
    const failing = async function* (): AsyncGenerator<number> {
      yield 1;
      throw new Error("broken");
    };
    await assert.rejects(
      async () => {
        for await (const _ of merge([other(), failing()]));
      },
      { message: "broken" },
    );
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(left);
  });
});
