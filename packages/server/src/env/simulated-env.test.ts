import assert from "node:assert/strict";
import { DiskError } from "./env.js";
import { SeededRandom } from "./seeded-random.js";
import { SimulatedEnv } from "./simulated-env.js";

describe("simulated time", () => {
  it("passes only when told to, and calls what falls due in order", async () => {
    const { timers, clock } = new SimulatedEnv(1, 5000);
    const calls: string[] = [];
    timers.after(20, () => calls.push(`b ${clock.now()}`));
    timers.after(10, () => {
      calls.push(`a ${clock.now()}`);
      timers.after(5, () => calls.push(`nested ${clock.now()}`));
    });
    timers.after(12, () => calls.push("never")).cancel();
    const sleeping = timers.sleep(20).then(() => calls.push(`slept ${clock.monotonic()}`));
    await timers.advance(19);
    assert.deepEqual(calls, ["a 5010", "nested 5015"]);
    await timers.advance(1);
    await sleeping;
    assert.deepEqual(calls.slice(2), ["b 5020", "slept 20"]);
    timers.clockSkewMs = -4000;
    assert.deepEqual([clock.now(), clock.monotonic()], [1020, 20]);
  });
});

describe("the simulated disk", () => {
  /** A file of `before`, synced, then `after` written behind it, then a crash. */
  async function crashed(seed: number, synced: boolean): Promise<string> {
    const { disk } = new SimulatedEnv();
    const file = await disk.open("/d/file", "create");
    await disk.syncDirectory("/d");
    await file.write([Buffer.from("before;")], 0);
    await file.datasync();
    await file.write([Buffer.from("x".repeat(600)), Buffer.from("y".repeat(600))], 7);
    if (synced) await file.datasync();
    disk.crash(new SeededRandom(seed));
    await assert.rejects(file.read(new Uint8Array(1), 0), DiskError);
    return disk.readText("/d/file");
  }

  it("keeps what was synced over a crash, and of the rest anything", async () => {
    const whole = `before;${"x".repeat(600)}${"y".repeat(600)}`;
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      assert.equal(await crashed(seed, true), whole);
      const left = await crashed(seed, false);
      assert.equal(await crashed(seed, false), left);
      assert.ok(left.startsWith("before;"));
      outcomes.add(
        left === whole ? "all" : left === "before;" ? "none" : left.includes("\0") ? "holes" : "prefix",
      );
    }
    assert.deepEqual([...outcomes].sort(), ["all", "holes", "none", "prefix"]);
  });

  it("keeps what was written to a file of durable commits, without a sync", async () => {
    const { disk } = new SimulatedEnv();
    const file = await disk.open("/d/f", "create", "durable-commits");
    await disk.syncDirectory("/d");
    await file.write([Buffer.from("kept")], 0);
    disk.lose();
    assert.equal(await disk.readText("/d/f"), "kept");
  });

  it("may lose names that were not synced, and none that were", async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const { disk } = new SimulatedEnv();
      for (const name of ["a", "b"]) await (await disk.open(`/d/${name}`, "create")).close();
      await disk.syncDirectory("/d");
      await (await disk.open("/d/c", "create")).close();
      await disk.remove("/d/a");
      await disk.rename("/d/b", "/d/z");
      disk.crash(new SeededRandom(seed));
      outcomes.add((await disk.list("/d")).join(""));
    }
    const all = ["ab", "abc", "acz", "az", "b", "bc", "cz", "z"];
    assert.deepEqual([...outcomes].sort(), all);
  });

  it("does not make durable what an earlier sync failed for", async () => {
    const left = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const { disk } = new SimulatedEnv();
      const file = await disk.open("/d/file", "create");
      await disk.syncDirectory("/d");
      await file.write([Buffer.from("one")], 0);
      disk.faults = ({ name }) => (name === "datasync" ? "io" : undefined);
      await assert.rejects(file.datasync(), DiskError);
      disk.faults = undefined;
      await file.datasync();
      disk.crash(new SeededRandom(seed));
      left.add(await disk.readText("/d/file"));
    }
    assert.ok(left.has("") && left.has("one"));
  });

  it("fails the operations that the hook says, and goes down with a crash", async () => {
    const { disk } = new SimulatedEnv();
    disk.faults = ({ count }) => (count === 1 ? "denied" : count === 3 ? "crash" : undefined);
    const file = await disk.open("/d/file", "create");
    await assert.rejects(disk.list("/d"), (error) => error instanceof DiskError && error.kind === "denied");
    await file.write([Buffer.from("x")], 0);
    await assert.rejects(file.datasync(), DiskError);
    await assert.rejects(disk.list("/d"), DiskError);
    disk.crash(new SeededRandom(1));
    await disk.list("/d");
  });

  it("runs full, and has taken a part of the data then", async () => {
    const { disk } = new SimulatedEnv();
    disk.capacityBytes = 10;
    const file = await disk.open("/d/file", "create");
    await file.write([Buffer.from("12345678")], 0);
    const full = file.write([Buffer.from("abcdef")], 8);
    await assert.rejects(full, (error) => error instanceof DiskError && error.kind === "no-space");
    assert.equal(await disk.readText("/d/file"), "12345678ab");
    await file.truncate(2);
    await file.write([Buffer.from("abcdef")], 2);
  });

  it("locks a directory until it is released or the power fails", async () => {
    const { disk } = new SimulatedEnv();
    assert.equal((await disk.lock("/d", "one")).kind, "locked");
    assert.deepEqual(await disk.lock("/d", "two"), { kind: "held", by: "one" });
    disk.crash(new SeededRandom(1));
    const lock = await disk.lock("/d", "two");
    assert.ok(lock.kind === "locked");
    await lock.release();
    assert.equal((await disk.lock("/d", "three")).kind, "locked");
  });
});
