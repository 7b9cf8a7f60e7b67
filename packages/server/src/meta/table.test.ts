import assert from "node:assert/strict";
import { SimulatedEnv } from "../env/simulated-env.js";
import { MemoryMeta } from "./memory-meta.js";
import { MetaTable } from "./table.js";

interface Stream {
  readonly name: string;
  readonly createdAt: Date;
}

const codec = {
  parse(json: unknown): Stream {
    const { name, createdAt } = json as { name: string; createdAt: number };
    return { name, createdAt: new Date(createdAt) };
  },
  format: ({ name, createdAt }: Stream) => ({ name, createdAt: createdAt.getTime() }),
};

describe("a table of documents", () => {
  it("keeps typed documents under its prefix, apart from others", async () => {
    const meta = new MemoryMeta(new SimulatedEnv().clock);
    const streams = new MetaTable(meta, "streams/", codec);
    const others = new MetaTable<number>(meta, "others/", { parse: Number });
    const changes: string[] = [];
    const stop = streams.watch((change) =>
      changes.push(change.kind === "put" ? `+${change.row.document.name}` : `-${change.id}`),
    );
    const a: Stream = { name: "A", createdAt: new Date(1) };
    const revision = await streams.put("a", a);
    await others.put("a", 7);
    assert.deepEqual(await streams.get("a"), { id: "a", document: a, revision });
    assert.equal((await others.get("a"))?.document, 7);
    assert.equal((await streams.compareAndSet("b", a, 0)).kind, "set");
    assert.equal((await streams.compareAndSet("b", a, 0)).kind, "conflict");
    assert.deepEqual(
      (await streams.list()).map(({ id }) => id),
      ["a", "b"],
    );
    assert.equal((await streams.list("b")).length, 1);
    assert.equal((await streams.compareAndSet("a", undefined, revision)).kind, "set");
    assert.equal(await streams.get("a"), undefined);
    stop();
    await streams.put("c", a);
    assert.deepEqual(changes, ["+A", "+A", "-a"]);
  });
});
