import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv } from "../env/node-env.js";
import { EmbeddedLog } from "../log/embedded-log.js";
import { EmbeddedMeta } from "../meta/embedded-meta.js";
import { StreamAppender } from "./stream-appender.js";
import { StreamCatalogue } from "./stream-catalogue.js";

const count = process.env["HSTREAM_TEST_SECONDS"] === undefined ? 2_000 : 100_000;

describe("very many streams", () => {
  it("are created, appended to and there after a restart", async function () {
    this.timeout(600_000);
    const directory = await mkdtemp(join(tmpdir(), "hstream-streams-"));
    const env = createNodeEnv();
    const open = async () => {
      const log = await EmbeddedLog.start(env, directory);
      const meta = await EmbeddedMeta.start(log, env);
      return { log, meta, streams: await StreamCatalogue.open(env, log, meta) };
    };
    const names = Array.from({ length: count }, (_, i) => `s${i}`);
    const first = await open();
    await atOnce(names, 500, (name) => first.streams.create({ name }));
    const appender = new StreamAppender(env, first.streams, first.log, { recordBytesMax: 1_048_576 });
    const payload = Buffer.from([0x0a, 0x05, 0x0a, 0x00, 0x12, 0x01, 0x78]);
    const batch = { recordCount: 1, compression: 0, payload };
    await atOnce(names, 500, (name) => appender.appendByKey(name, "", batch));
    await first.meta.close();
    await first.log.close();
    const again = await open();
    assert.deepEqual(again.log.notices, []);
    for (let i = 0; i < count; i += 199) {
      const { shardIds } = again.streams.get(`s${i}`);
      assert.ok(
        shardIds.some((id) => again.log.tail(id) > 0),
        `s${i}`,
      );
    }
    await again.meta.close();
    await again.log.close();
    await rm(directory, { recursive: true });
  });
});

/** Does all, so many at a time. */
async function atOnce<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
    }),
  );
}
