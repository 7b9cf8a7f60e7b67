import assert from "node:assert/strict";
import { settle } from "../env/simulated-env.js";
import { BulkLane } from "./bulk-lane.js";

/** Turns that wait, and those that have begun. */
function takers(lane: BulkLane, count: number) {
  const ends: (() => void)[] = [];
  for (let i = 0; i < count; i++) void lane.turn().then((end) => ends.push(end));
  return ends;
}

describe("turns for bulk work", () => {
  it("are two at a time while nothing is committed", async () => {
    const ends = takers(new BulkLane(), 5);
    for (let begun = 2; begun <= 5; begun++) {
      await settle();
      assert.equal(ends.length, begun);
      ends[begun - 2]?.();
    }
  });

  it("come after every second group while others commit, and never more than two", async () => {
    const lane = new BulkLane();
    lane.commitsBegin();
    const ends = takers(lane, 5);
    const begun: number[] = [];
    for (let group = 0; group < 6; group++) {
      lane.groupCommitted();
      await settle();
      begun.push(ends.length);
    }
    assert.deepEqual(begun, [0, 1, 1, 2, 2, 2]);
    ends[0]?.();
    await settle();
    assert.equal(ends.length, 3);
    lane.commitsEnd();
    ends[1]?.();
    ends[2]?.();
    await settle();
    assert.equal(ends.length, 5);
  });
});
