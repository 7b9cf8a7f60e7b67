import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNodeEnv } from "../env/node-env.js";
import { EmbeddedLog } from "./embedded-log.js";

/** 200 lives, ended at different moments of segments and groups. */
function killsAtLength(): number[] {
  return Array.from({ length: 200 }, (_, i) => 1 + ((i * 389) % 1500));
}

/** Acknowledged appends after which a process is killed. */
const killAfter = process.env["HSTREAM_TEST_SECONDS"] === undefined ? [1, 700, 1500] : killsAtLength();

describe("a process that is killed while it appends", () => {
  it("has lost nothing that it acknowledged, and left nothing twice", async function () {
    this.timeout(20_000 + killAfter.length * 2_000);
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
