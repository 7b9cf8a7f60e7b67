import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SimulatedEnv } from "../env/simulated-env.js";
import { MemoryLog, MemoryLogContents } from "../log/memory-log.js";
import { EmbeddedMeta, metaShardId } from "./embedded-meta.js";
import { goldenDocuments } from "./golden-documents.js";

/** Tests run from dist; the golden files stay with the sources. */
const golden = readFileSync(new URL("../../src/meta/golden/documents-v1.jsonl", import.meta.url), "utf8");

describe("the documents of the metadata, version 1", () => {
  it("are still written as they were", () => {
    const written = goldenDocuments().map((bytes) => `${Buffer.from(bytes).toString()}\n`);
    assert.equal(written.join(""), golden);
  });

  it("are still read", async () => {
    const env = new SimulatedEnv();
    const log = new MemoryLog(env.clock, new MemoryLogContents());
    await log.createShard(metaShardId);
    const fence = await log.open(metaShardId);
    // The snapshot stands for what was before it.
    for (const line of golden.trimEnd().split("\n")) {
      const batch = { recordCount: 1, compression: 0, payload: Buffer.from(line) };
      await log.append(metaShardId, batch, { fence });
    }
    const meta = await EmbeddedMeta.start(log, env);
    const entries = (await meta.range("")).map(({ key, value }) => [key, value]);
    assert.deepEqual(
      entries.filter(([key]) => key !== "stream/é"),
      [
        ["a", "value 0"],
        ["b", "value 1"],
        ["c", "value 2"],
      ],
    );
    await meta.close();
  });
});
