import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNodeEnv } from "../env/node-env.js";
import { EmbeddedLog } from "./embedded-log.js";

/** Acknowledged appends after which a process is killed. */
const killAfter = [1, 700, 1500];

describe("a process that is killed while it appends", () => {
  it("has lost nothing that it acknowledged, and left nothing twice", async () => {
    const directory = await mkdtemp(join(tmpdir(), "hstream-kill-"));
    const acknowledged = new Map<number, string>();
    for (const [life, count] of killAfter.entries()) {
      const child = fork(fileURLToPath(new URL("./append-until-killed.js", import.meta.url)), [
        directory,
        `${life}`,
      ]);
      let answers = 0;
      child.on("message", (message) => {
        const [batchId, text] = message as [number, string];
        acknowledged.set(batchId, text);
        if (++answers === count) child.kill("SIGKILL");
      });
      await once(child, "close");
      assert.ok(answers >= count);
    }
    const log = await EmbeddedLog.start(createNodeEnv(), directory);
    const read = new Map<number, string>();
    for (let from = 0; ; ) {
      const { batches, next, gap } = await log.read(1, from, { batchesMax: 500, bytesMax: 1_000_000 });
      assert.equal(gap, undefined);
      for (const { batchId, payload } of batches)
        read.set(batchId, Buffer.from(payload).toString().trimEnd());
      if (next === from) break;
      from = next;
    }
    for (const [batchId, text] of acknowledged) assert.equal(read.get(batchId), text);
    assert.equal(new Set(read.values()).size, read.size);
    assert.equal(await log.open(1), killAfter.length + 1);
    await log.close();
    await rm(directory, { recursive: true });
  });
});
