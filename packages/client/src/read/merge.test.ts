import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { merge } from "./merge.js";

async function* of<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  for (const item of items) {
    if (Math.random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
    yield item;
  }
}

describe("merged sources", () => {
  it("give every item once, those of a source in order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.nat()), { maxLength: 8 }), async (lists) => {
        const found = lists.map((): number[] => []);
        for await (const [source, item] of merge(
          lists.map((list, source) => of(list.map((item) => [source, item] as const))),
        )) {
          found[source]?.push(item);
        }
        assert.deepEqual(found, lists);
      }),
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
