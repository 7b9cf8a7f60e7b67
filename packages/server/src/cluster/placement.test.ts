import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { Placement } from "./placement.js";

const placementOf = (nodes: readonly string[]) => new Placement(nodes, (node) => node);
const nodes = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 6 });
const resources = fc.array(fc.string(), { maxLength: 50 });

describe("placement", () => {
  it("gives each resource to one node, in whatever order the nodes are named", () => {
    fc.assert(
      fc.property(nodes, resources, (names, wanted) => {
        const reversed = placementOf([...names].reverse());
        for (const resource of wanted) {
          const node = placementOf(names).nodeOf(resource);
          assert.ok(node !== undefined && names.includes(node));
          assert.equal(reversed.nodeOf(resource), node);
        }
      }),
    );
  });

  it("moves only the share of a node that goes", () => {
    fc.assert(
      fc.property(nodes, resources, ([gone = "", ...rest], wanted) => {
        for (const resource of wanted) {
          const before = placementOf([gone, ...rest]).nodeOf(resource);
          if (before !== gone) assert.equal(placementOf(rest).nodeOf(resource), before);
        }
      }),
      { numRuns: runs(30) },
    );
  });

  it("shares evenly enough, and has nobody to give to when there are no nodes", () => {
    const placement = placementOf(["a", "b", "c"]);
    const counts = new Map<string | undefined, number>();
    for (let i = 0; i < 9_000; i++) {
      const node = placement.nodeOf(`resource-${i}`);
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    for (const count of counts.values()) assert.ok(count > 1_500 && count < 4_500, String(count));
    assert.equal(placementOf([]).nodeOf("x"), undefined);
  });
});
