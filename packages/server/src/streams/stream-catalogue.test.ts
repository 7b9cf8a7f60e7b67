import assert from "node:assert/strict";
import fc from "fast-check";
import { SimulatedEnv } from "../env/simulated-env.js";
import { HStreamError } from "../errors.js";
import { MemoryLog, MemoryLogContents } from "../log/memory-log.js";
import { type MetaInjection, MemoryMeta } from "../meta/memory-meta.js";
import { MetaState } from "../meta/meta-state.js";
import { hashKey, keySpaceMax, shardIndexOf, shardRange } from "./key-space.js";
import { nameProblem, resourceIdProblem } from "./names.js";
import { RelationNames } from "./relation-names.js";
import { StreamCatalogue } from "./stream-catalogue.js";

/** What survives a crash, and the catalogue on top of it, which does not. */
class World {
  readonly env = new SimulatedEnv();
  readonly #logContents = new MemoryLogContents();
  readonly #metaContents = new MetaState();
  log = new MemoryLog(this.env.clock, this.#logContents);
  meta = new MemoryMeta(this.env.clock, this.#metaContents);

  async start(): Promise<StreamCatalogue> {
    this.log = new MemoryLog(this.env.clock, this.#logContents);
    this.meta = new MemoryMeta(this.env.clock, this.#metaContents);
    return await StreamCatalogue.open(this.env, this.log, this.meta);
  }
}

const kindOf = async (work: Promise<unknown>) => {
  try {
    await work;
    return "done";
  } catch (error) {
    return error instanceof HStreamError ? error.kind : String(error);
  }
};

describe("stream catalogue", () => {
  it("takes so many shards in all and no more", async () => {
    const { env, log, meta } = new World();
    const streams = await StreamCatalogue.open(env, log, meta, new RelationNames(), 5);
    await streams.create({ name: "a", shardCount: 3 });
    assert.equal(await kindOf(streams.create({ name: "b", shardCount: 3 })), "TooManyShardsInAll");
    await streams.create({ name: "c", shardCount: 2 });
    await streams.delete("a");
    assert.equal(await kindOf(streams.create({ name: "b", shardCount: 3 })), "done");
  });

  it("creates a stream with all of its shards, and finds it again after a restart", async () => {
    const world = new World();
    const streams = await world.start();
    const created = await streams.create({
      name: "a",
      shardCount: 3,
      columns: [{ name: "x" }],
      kind: "changes",
    });
    assert.deepEqual([...created.shardIds].sort(), world.log.shards());
    assert.deepEqual(created.columns, [{ name: "x" }]);
    for (const shardId of created.shardIds) {
      assert.deepEqual(streams.ofShard(shardId), created);
      assert.equal(String(shardId).length, 16);
    }
    const again = await world.start();
    assert.deepEqual(again.get("a"), created);
    assert.deepEqual(again.byId(created.id), { stream: created, archived: false });
  });

  it("never lists internal streams, and keeps users off their names", async () => {
    const streams = await new World().start();
    await streams.create({ name: "_errors_of_q", kind: "internal" });
    assert.deepEqual(streams.list(), []);
    assert.equal(streams.get("_errors_of_q").kind, "internal");
    assert.equal(await kindOf(streams.create({ name: "_mine" })), "InvalidStreamName");
  });

  it("lets one of several concurrent creators win and leaves no shards of the others", async () => {
    const world = new World();
    const streams = await world.start();
    const outcomes = await Promise.all(
      [1, 2, 3].map(() => kindOf(streams.create({ name: "a", shardCount: 2 }))),
    );
    assert.deepEqual(outcomes.sort(), ["StreamExists", "StreamExists", "done"]);
    assert.equal(world.log.shards().length, 2);
  });

  it("deletes a stream with its shards, and a new one of the name has another id", async () => {
    const world = new World();
    const streams = await world.start();
    const first = await streams.create({ name: "a" });
    assert.equal(await streams.delete("a"), true);
    assert.deepEqual(world.log.shards(), []);
    assert.equal(await kindOf(streams.delete("a")), "StreamNotFound");
    assert.equal(await streams.delete("a", { ignoreMissing: true }), false);
    assert.notEqual((await streams.create({ name: "a" })).id, first.id);
  });

  it("keeps a stream with users unless forced, and then its data until the last of them is gone", async () => {
    const world = new World();
    let streams = await world.start();
    const stream = await streams.create({ name: "a" });
    streams.retain("a", "u1");
    streams.retain("a", "u2");
    assert.equal(await kindOf(streams.delete("a")), "StreamHasSubscriptions");
    await streams.delete("a", { force: true });
    assert.deepEqual([streams.find("a"), streams.retain("a", "u3")], [undefined, undefined]);
    assert.deepEqual(streams.byId(stream.id), { stream, archived: true });
    streams = await world.start();
    streams.retainId(stream.id, "u1");
    streams.retainId(stream.id, "u2");
    await streams.dropUnused();
    await streams.release(stream.id, "u1");
    assert.equal(world.log.shards().length, 1);
    await streams.release(stream.id, "u2");
    assert.deepEqual([world.log.shards(), streams.byId(stream.id)], [[], undefined]);
  });

  const scenarios = {
    create: async (streams: StreamCatalogue) => void (await streams.create({ name: "new", shardCount: 2 })),
    delete: async (streams: StreamCatalogue) => void (await streams.delete("old")),
    "delete by force": async (streams: StreamCatalogue) => {
      streams.retain("old", "user");
      await streams.delete("old", { force: true });
    },
  };
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(`leaves whole streams and no stray shards when a crash interrupts: ${name}`, async () => {
      for (const kind of ["error", "lost-answer"] as const) {
        let interrupted = 0;
        for (let step = 0; step < 8; step++) {
          const world = new World();
          const before = await world.start();
          const old = await before.create({ name: "old", shardCount: 2 });
          const nothing: MetaInjection = { kind: "delay", until: Promise.resolve() };
          const error = new Error("the power went");
          const crash: MetaInjection = { kind, error };
          // From the crash on nothing gets through any more.
          const after = Array.from({ length: 10 }, () => ({ kind: "error" as const, error }));
          world.meta.inject(...Array.from({ length: step }, () => nothing), crash, ...after);
          if ((await kindOf(scenario(before))) !== "done") interrupted += 1;
          const streams = await world.start();
          const archived = streams.byId(old.id)?.archived === true ? [old] : [];
          const needed = [...streams.list(), ...archived].flatMap(({ shardIds }) => shardIds);
          assert.deepEqual(world.log.shards(), needed.sort(), `${kind} at step ${step}`);
          assert.ok(streams.list().every((stream) => stream.shardIds.length === 2));
          // Whatever happened, the names can be used.
          await streams.delete("old", { ignoreMissing: true });
          await streams.delete("new", { ignoreMissing: true });
          await streams.create({ name: "old" });
          await streams.create({ name: "new" });
        }
        assert.ok(interrupted > 1, "the crash came at several steps");
      }
    });
  }
});

describe("key space", () => {
  it("is covered by the shards' ranges without gap or overlap, and each hash finds its own", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4_096 }),
        fc.bigInt({ min: 0n, max: keySpaceMax }),
        (count, hash) => {
          const { start, end } = shardRange(shardIndexOf(hash, count), count);
          assert.ok(start <= hash && hash <= end);
          assert.equal(shardRange(0, count).start, 0n);
          assert.equal(shardRange(count - 1, count).end, keySpaceMax);
          if (count > 1) assert.equal(shardRange(0, count).end + 1n, shardRange(1, count).start);
        },
      ),
    );
  });

  it("places keys by their MD5, big-endian", () => {
    assert.equal(hashKey(""), 0xd41d8cd98f00b204e9800998ecf8427en);
    assert.equal(hashKey("abc"), 0x900150983cd24fb0d6963f7d28e17f72n);
  });
});

describe("names", () => {
  it("begin with a letter of any script and hold letters, digits, - and _", () => {
    for (const good of ["a", "Ünï-cødé_1", "数据", "x".repeat(255), "𐐀".repeat(255)]) {
      assert.equal(nameProblem(good), undefined, good);
    }
    for (const bad of ["", "1", "-a", "a b", "a.b", "a\u0000", "x".repeat(256), "𐐀".repeat(256)]) {
      assert.ok(nameProblem(bad) !== undefined, bad);
    }
    assert.equal(resourceIdProblem("42"), undefined);
    assert.ok(resourceIdProblem("4 2") !== undefined);
  });
});
