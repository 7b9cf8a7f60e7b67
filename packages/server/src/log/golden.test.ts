import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createNodeEnv } from "../env/node-env.js";
import { SimulatedEnv } from "../env/simulated-env.js";
import { appended, readTexts, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import { goldenRewritten, goldenSegment } from "./golden-history.js";
import { segmentPath } from "./segment.js";

/** Tests run from dist; the golden files stay with the sources. */
const goldenDirectory = fileURLToPath(new URL("../../src/log/golden/", import.meta.url));

async function goldenFile(name: string): Promise<Uint8Array> {
  const file = await createNodeEnv().disk.open(`${goldenDirectory}${name}`, "read");
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

describe("the format of segments, version 1", () => {
  const start = async (bytes: Uint8Array) => {
    const env = new SimulatedEnv();
    env.disk.overwrite(segmentPath("/log", 1), bytes);
    return EmbeddedLog.start(env, "/log");
  };

  it("is still written byte by byte", async () => {
    assert.ok(Buffer.from(await goldenSegment()).equals(await goldenFile("segment-v1.bin")));
  });

  it("is still written byte by byte where it is rewritten", async () => {
    assert.ok(Buffer.from(await goldenRewritten()).equals(await goldenFile("rewritten-v1.bin")));
  });

  it("is still read, by its footer and by a scan of its frames", async () => {
    const golden = await goldenFile("segment-v1.bin");
    for (const bytes of [golden, golden.subarray(0, golden.byteLength - 1)]) {
      const log = await start(bytes);
      assert.equal(log.notices.length, bytes === golden ? 0 : 1);
      assert.deepEqual(log.shards(), [1, 2]);
      assert.deepEqual(await readTexts(log, 1), ["second", "large ".repeat(1000)]);
      assert.deepEqual(await readTexts(log, 2), ["of another shard"]);
      const { tail, trimmedUpTo, tailTimeMs, holds } = log.describe(1);
      assert.equal(trimmedUpTo, 1_000_004_294_967_296);
      assert.equal(tail, 1_000_004_294_967_299);
      assert.equal(tailTimeMs, 1_700_000_001_500);
      assert.deepEqual([...holds], [["query 1", tail]]);
      assert.equal(log.describe(2).holds.size, 0);
      await assert.rejects(log.createShard(3));
      const fence = await log.open(1);
      assert.equal(fence, 2);
      const producer = { id: "query", mode: "monotone", sequence: { step: 2 ** 40, chunk: 3 } } as const;
      const repeat = await log.append(
        1,
        { recordCount: 1, compression: 0, payload: new Uint8Array(1) },
        { fence, producer },
      );
      const batchId = 1_000_004_294_967_297;
      assert.deepEqual(repeat, { kind: "appended", batchId, timeMs: 1_700_000_000_000 });
      await log.close();
    }
  });
});

/** Whole directories, one for each version of the format that was ever released; with what they tell. */
describe("a log of an earlier version", () => {
  const logs = new URL("../../src/log/golden/logs/", import.meta.url);
  for (const version of readdirSync(logs)) {
    it(`can be opened, read, appended to and tidied: ${version}`, async () => {
      const from = fileURLToPath(new URL(`${version}/`, logs));
      const env = new SimulatedEnv();
      for (const name of readdirSync(from)) {
        if (name.endsWith(".segment")) env.disk.overwrite(`/log/${name}`, readFileSync(`${from}${name}`));
      }
      const expected = JSON.parse(readFileSync(`${from}expected.json`, "utf8")) as Expected;
      for (let start = 0; start < 2; start++) {
        const log = await EmbeddedLog.start(env, "/log", { segmentBytes: 2000 });
        assert.deepEqual(log.notices, []);
        assert.deepEqual(
          log.shards(),
          expected.shards.map(({ id }) => id),
        );
        for (const { id, texts, tail, trimmedUpTo, holds, producer } of expected.shards) {
          const described = log.describe(id);
          assert.deepEqual((await readTexts(log, id)).slice(0, texts.length), texts);
          if (start === 0) assert.equal(described.tail, tail);
          assert.equal(described.trimmedUpTo, trimmedUpTo);
          assert.deepEqual(Object.fromEntries(described.holds), holds);
          const fence = await log.open(id);
          const repeat = { id: "p", mode: "contiguous", sequence: { step: producer, chunk: 0 } } as const;
          assert.deepEqual(await log.append(id, textBatch("repeat"), { fence, producer: repeat }), {
            kind: "appended",
            batchId: tail,
            timeMs: expected.timesMs[id],
          });
          await appended(log.append(id, textBatch("new"), { fence }));
        }
        await log.tidied();
        await log.close();
      }
    });
  }
});

interface Expected {
  readonly shards: readonly {
    readonly id: number;
    readonly texts: readonly string[];
    readonly tail: number;
    readonly trimmedUpTo: number;
    readonly holds: Readonly<Record<string, number>>;
    /** The last step of producer "p". */
    readonly producer: number;
  }[];
  /** Of the newest batch, by shard. */
  readonly timesMs: Readonly<Record<string, number>>;
}
