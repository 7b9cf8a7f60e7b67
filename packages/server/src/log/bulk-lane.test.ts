import assert from "node:assert/strict";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { BulkLane, type Turn } from "./bulk-lane.js";

const mebibyte = 1_048_576;

/** Turns that wait, and those that have begun. */
function takers(lane: BulkLane, count: number): Turn[] {
  const turns: Turn[] = [];
  for (let i = 0; i < count; i++) void lane.turn(mebibyte).then((turn) => turns.push(turn));
  return turns;
}

describe("turns for bulk work", () => {
  it("are large, and four at a time, while nothing is committed", async () => {
    const turns = takers(new BulkLane(new SimulatedEnv().clock), 7);
    for (let begun = 4; begun <= 7; begun++) {
      await settle();
      assert.equal(turns.length, begun);
      assert.equal(turns.at(-1)?.bytes, mebibyte);
      turns[begun - 4]?.end();
    }
  });

  it("are of no more bytes than were asked for", async () => {
    const lane = new BulkLane(new SimulatedEnv().clock);
    assert.equal((await lane.turn(100)).bytes, 100);
  });

  it("come after groups while others commit, small after small ones, and never more than two", async () => {
    const lane = new BulkLane(new SimulatedEnv().clock);
    lane.commitsBegin();
    const turns = takers(lane, 5);
    await settle();
    assert.equal(turns.length, 0);
    lane.groupCommitted(1_000);
    await settle();
    assert.deepEqual(
      turns.map(({ bytes }) => bytes),
      [16_384],
    );
    turns[0]?.end();
    await settle();
    assert.equal(turns.length, 1);
    for (let group = 0; group < 3; group++) lane.groupCommitted(mebibyte);
    await settle();
    assert.deepEqual(
      turns.map(({ bytes }) => bytes),
      [16_384, 131_072, 131_072],
    );
    turns[1]?.end();
    turns[2]?.end();
    await settle();
    assert.equal(turns.length, 5);
  });

  it("do in all a quarter of what is committed beside them", async () => {
    const lane = new BulkLane(new SimulatedEnv().clock);
    lane.commitsBegin();
    let done = 0;
    let stopped = false;
    const worker = async () => {
      while (!stopped) {
        const { bytes, end } = await lane.turn(mebibyte);
        done += bytes;
        end();
      }
    };
    const workers = [worker(), worker(), worker()];
    for (let group = 0; group < 40; group++) {
      lane.groupCommitted(mebibyte);
      await settle();
    }
    assert.equal(done, 10 * mebibyte);
    stopped = true;
    lane.commitsEnd();
    await Promise.all(workers);
  });

  it("stay small, one at a time, for those who come back after each commit", async () => {
    const env = new SimulatedEnv();
    const lane = new BulkLane(env.clock);
    lane.commitsBegin();
    lane.commitsEnd();
    const turns = takers(lane, 3);
    await settle();
    assert.deepEqual(
      turns.map(({ bytes }) => bytes),
      [16_384],
    );
    env.timers.elapsedMs += 20;
    turns[0]?.end();
    await settle();
    assert.deepEqual(
      turns.map(({ bytes }) => bytes),
      [16_384, mebibyte, mebibyte],
    );
  });
});
