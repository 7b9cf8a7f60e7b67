import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { HStreamClient, textRecord } from "../index.js";
import { decodeBatch } from "../records/decode.test.helper.js";
import { type AppendFate, FakeServer } from "../test-kit/fake-server.js";

const type = textRecord();

describe("numbered appends", () => {
  let server: FakeServer;
  let client: HStreamClient;
  let made = 0;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = await HStreamClient.connect(server.url, { retryPauseMs: 1 });
  });
  afterEach(async () => {
    await client.close();
    server.stop();
  });

  async function stored(stream: string): Promise<Map<string, string[]>> {
    const byKey = new Map<string, string[]>();
    for (const { batch, stream: of } of server.batches) {
      if (of !== stream) continue;
      for (const { key, value } of await decodeBatch(batch)) {
        byKey.set(key, [...(byKey.get(key) ?? []), Buffer.from(value as Uint8Array).toString()]);
      }
    }
    return byKey;
  }

  it("are stored once and in order, whatever is lost on the way", async () => {
    const fate = fc.oneof(
      { weight: 6, arbitrary: fc.constant<AppendFate>("store") },
      { weight: 1, arbitrary: fc.constant<AppendFate>("lose the answers") },
      { weight: 1, arbitrary: fc.constant<AppendFate>("lose it") },
    );
    const keys = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(keys, fc.array(fate, { maxLength: 60 }), async (wanted, fates) => {
        const stream = `numbered_${made++}`;
        await client.streams.create(stream, { shardCount: 2 });
        const left = [...fates];
        server.onAppendStream = () => left.shift() ?? "store";
        const appends = await client.appendStream(stream, { type });
        const ids = await Promise.all(wanted.map((key, n) => appends.append([`${n}`], { key })));
        await appends.close();
        const expected = new Map<string, string[]>();
        wanted.forEach((key, n) => expected.set(key, [...(expected.get(key) ?? []), `${n}`]));
        assert.deepEqual(new Map([...(await stored(stream))].sort()), new Map([...expected].sort()));
        assert.equal(new Set(ids.map(([id]) => `${id?.batchId}`)).size, wanted.length);
      }),
      { numRuns: runs(60) },
    );
  });

  it("fail at once on a server that does not know them", async () => {
    const old = await FakeServer.start(0, { ext: false });
    await using other = await HStreamClient.connect(old.url);
    await other.streams.create("old");
    const appends = await other.appendStream("old", { type });
    await assert.rejects(appends.append(["x"]), { reason: "refused", grpcStatus: 12 });
    await assert.rejects(appends.append(["y"]), { reason: "refused", grpcStatus: 12 });
    old.stop();
  });
});
