import assert from "node:assert/strict";
import { limits } from "../limits.js";
import { type MetaChange, MetaError, type MetaErrorKind, type MetaStore } from "./meta-store.js";

/** A place where metadata lives. */
export interface MetaHarness {
  /** Opens the store, as a new process would. */
  start(): Promise<MetaStore>;
  /** Lets the store's clock go on. */
  passTime(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

/** Checks that a call is refused with this kind of MetaError. */
export async function rejectsWith(
  kind: MetaErrorKind,
  work: () => Promise<unknown> | unknown,
): Promise<void> {
  await assert.rejects(
    async () => await work(),
    (error) => error instanceof MetaError && error.kind === kind,
  );
}

/** What every MetaStore must do. Describes one mocha suite. */
export function metaStoreConformance(name: string, makeHarness: () => Promise<MetaHarness>): void {
  describe(`${name} keeps the contract of MetaStore`, () => {
    let harness: MetaHarness;
    let meta: MetaStore;

    beforeEach(async () => {
      harness = await makeHarness();
      meta = await harness.start();
    });

    afterEach(async () => {
      await meta.close();
      await harness.dispose();
    });

    const restart = async () => {
      await meta.close();
      meta = await harness.start();
    };

    it("gets what was put, with a revision that rises with every change", async () => {
      assert.equal(await meta.get("a"), undefined);
      const first = await meta.put("a", "1");
      const second = await meta.put("b", "2");
      const third = await meta.put("a", "3");
      assert.ok(0 < first && first < second && second < third);
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(await meta.get("a"), { key: "a", value: "3", revision: third });
        assert.deepEqual(await meta.get("b"), { key: "b", value: "2", revision: second });
        await restart();
      }
      assert.ok((await meta.put("c", "")) > third);
    });

    it("sets only what is as expected", async () => {
      const put = await meta.compareAndSet("a", "1", 0);
      assert.equal(put.kind, "set");
      assert.deepEqual(await meta.compareAndSet("a", "2", 0), { kind: "conflict", revision: put.revision });
      assert.deepEqual(await meta.compareAndSet("b", "2", 7), { kind: "conflict", revision: 0 });
      const changed = await meta.compareAndSet("a", "2", put.revision);
      assert.ok(changed.kind === "set" && changed.revision > put.revision);
      assert.equal((await meta.get("a"))?.value, "2");
      assert.equal(await meta.get("b"), undefined);
    });

    it("deletes with a compare-and-set of nothing", async () => {
      const revision = await meta.put("a", "1");
      assert.deepEqual(await meta.compareAndSet("a", undefined, revision - 1), {
        kind: "conflict",
        revision,
      });
      const deleted = await meta.compareAndSet("a", undefined, revision);
      assert.ok(deleted.kind === "set" && deleted.revision > revision);
      assert.equal(await meta.get("a"), undefined);
      await restart();
      assert.equal(await meta.get("a"), undefined);
      const again = await meta.compareAndSet("a", "2", 0);
      assert.ok(again.kind === "set" && again.revision > deleted.revision);
    });

    it("lets exactly one of several rivals win", async () => {
      const results = await Promise.all(
        ["1", "2", "3", "4"].map((value) => meta.compareAndSet("a", value, 0)),
      );
      const [winner, ...others] = results.filter(({ kind }) => kind === "set");
      assert.ok(winner !== undefined && others.length === 0);
      for (const result of results) assert.equal(result.revision, winner.revision);
      assert.equal((await meta.get("a"))?.revision, winner.revision);
    });

    it("makes puts of one key in the order of the calls", async () => {
      await Promise.all(Array.from({ length: 20 }, (_, i) => meta.put(i % 2 === 0 ? "a" : "b", `${i}`)));
      assert.equal((await meta.get("a"))?.value, "18");
      assert.equal((await meta.get("b"))?.value, "19");
    });

    it("lists a prefix by key in code unit order", async () => {
      for (const key of ["b/2", "b/10", "a/1", "b", "b/", "c/1", "b/é", "b/Z"]) await meta.put(key, key);
      const keys = async (prefix: string) => (await meta.range(prefix)).map(({ key }) => key);
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(await keys("b/"), ["b/", "b/10", "b/2", "b/Z", "b/é"]);
        assert.deepEqual(await keys("b/1"), ["b/10"]);
        assert.deepEqual(await keys("d"), []);
        assert.equal((await keys("")).length, 8);
        await restart();
      }
      const revision = (await meta.get("b/2"))?.revision ?? 0;
      await meta.compareAndSet("b/2", undefined, revision);
      assert.deepEqual(await keys("b/"), ["b/", "b/10", "b/Z", "b/é"]);
    });

    it("takes any text as a key and as a value", async () => {
      for (const text of ["", "__proto__", "constructor", '"\\\n\u0000', "🙂\u2028"]) {
        await meta.put(`k${text}`, text);
      }
      await restart();
      for (const text of ["", "__proto__", "constructor", '"\\\n\u0000', "🙂\u2028"]) {
        assert.equal((await meta.get(`k${text}`))?.value, text);
      }
    });

    it("refuses documents beyond the limit", async () => {
      await rejectsWith("too-large", () => meta.put("a", "x".repeat(limits.metaValueBytesMax)));
      await rejectsWith("too-large", () =>
        meta.compareAndSet("a", "é".repeat(limits.metaValueBytesMax / 2), 0),
      );
      assert.equal(await meta.get("a"), undefined);
    });

    it("tells watchers of every change of their keys, in order, once", async () => {
      const seen: string[] = [];
      const note = (change: MetaChange) =>
        seen.push(change.kind === "put" ? `${change.entry.key}=${change.entry.value}` : `-${change.key}`);
      await meta.put("a/1", "before");
      const stop = meta.watch("a/", note);
      const revision = await meta.put("a/1", "x");
      await meta.put("b/1", "other");
      await meta.compareAndSet("a/1", "lost", 0);
      await meta.compareAndSet("a/1", undefined, revision);
      await Promise.all([meta.put("a/2", "y"), meta.put("a/3", "z")]);
      stop();
      await meta.put("a/1", "after");
      assert.deepEqual(seen, ["a/1=x", "-a/1", "a/2=y", "a/3=z"]);
    });

    it("gives a lease to one holder at a time", async () => {
      const first = await meta.acquire("leader", "node 1", 1000);
      assert.ok(first.kind === "granted" && first.lease.holder === "node 1");
      assert.deepEqual(await meta.acquire("leader", "node 2", 1000), { kind: "held", by: first.lease });
      assert.equal((await meta.acquire("other", "node 2", 1000)).kind, "granted");
      await harness.passTime(999);
      assert.equal((await meta.acquire("leader", "node 2", 1000)).kind, "held");
      await harness.passTime(1);
      const second = await meta.acquire("leader", "node 2", 1000);
      assert.ok(second.kind === "granted" && second.lease.token > first.lease.token);
      assert.deepEqual(await meta.renew(first.lease, 1000), { kind: "lost", to: second.lease });
    });

    it("prolongs a lease that is renewed in time, and only then", async () => {
      const result = await meta.acquire("leader", "node 1", 1000);
      assert.ok(result.kind === "granted");
      await harness.passTime(600);
      const renewed = await meta.renew(result.lease, 1000);
      assert.ok(renewed.kind === "granted" && renewed.lease.token === result.lease.token);
      assert.equal(renewed.lease.expiresAtMs, result.lease.expiresAtMs + 600);
      await harness.passTime(600);
      await restart();
      assert.equal((await meta.acquire("leader", "node 2", 1000)).kind, "held");
      await harness.passTime(400);
      assert.deepEqual(await meta.renew(renewed.lease, 1000), { kind: "lost" });
    });

    it("gives the holder itself a new lease, which ends the old one", async () => {
      const first = await meta.acquire("leader", "node 1", 1000);
      const second = await meta.acquire("leader", "node 1", 1000);
      assert.ok(first.kind === "granted" && second.kind === "granted");
      assert.ok(second.lease.token > first.lease.token);
      assert.deepEqual(await meta.renew(first.lease, 1000), { kind: "lost", to: second.lease });
      await meta.release(first.lease);
      assert.equal((await meta.acquire("leader", "node 2", 1000)).kind, "held");
    });

    it("frees a released lease, and lets its token never come back", async () => {
      let token = 0;
      for (let i = 0; i < 3; i++) {
        const result = await meta.acquire("leader", `node ${i}`, 1000);
        assert.ok(result.kind === "granted" && result.lease.token > token);
        token = result.lease.token;
        await meta.release(result.lease);
        assert.deepEqual(await meta.renew(result.lease, 1000), { kind: "lost" });
        await restart();
      }
    });

    it("lets exactly one of several rivals have a lease", async () => {
      const results = await Promise.all(
        ["1", "2", "3"].map((holder) => meta.acquire("leader", holder, 1000)),
      );
      assert.equal(results.filter(({ kind }) => kind === "granted").length, 1);
    });

    it("makes what was asked for before close, and refuses everything after", async () => {
      const put = meta.put("a", "1");
      await meta.close();
      assert.ok((await put) > 0);
      await rejectsWith("closed", () => meta.put("a", "2"));
      await rejectsWith("closed", () => meta.get("a"));
      await rejectsWith("closed", () => meta.range(""));
      await rejectsWith("closed", () => meta.acquire("l", "h", 1));
      await restart();
      assert.equal((await meta.get("a"))?.value, "1");
    });
  });
}
