import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv } from "../env/node-env.js";
import { appended, readTexts, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";

const shards = process.env["HSTREAM_TEST_SECONDS"] === undefined ? 5_000 : 100_000;

describe("very many shards", () => {
  it("are created, appended to and there after a restart", async function () {
    this.timeout(120_000);
    const directory = await mkdtemp(join(tmpdir(), "hstream-many-"));
    const options = { segmentBytes: 4_000_000 };
    const log = await EmbeddedLog.start(createNodeEnv(), directory, options);
    const ids = Array.from({ length: shards }, (_, i) => i + 1);
    await Promise.all(ids.map((id) => log.createShard(id)));
    const fences = await Promise.all(ids.map((id) => log.open(id)));
    for (const round of ["first", "second"]) {
      await Promise.all(
        fences.map((fence, i) => appended(log.append(i + 1, textBatch(`${round} of ${i + 1}`), { fence }))),
      );
    }
    await log.tidied();
    await log.close();
    const again = await EmbeddedLog.start(createNodeEnv(), directory, options);
    assert.deepEqual(again.notices, []);
    assert.equal(again.shards().length, shards);
    for (let id = 1; id <= shards; id += 97) {
      assert.deepEqual(await readTexts(again, id), [`first of ${id}`, `second of ${id}`]);
    }
    await again.close();
    await rm(directory, { recursive: true });
  });
});
