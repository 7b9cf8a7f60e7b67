import assert from "node:assert/strict";
import { HStreamClient, textRecord } from "./index.js";
import { type RealServer, startRealServer } from "./real-server.test.helper.js";

const text = textRecord();

/** Two servers that tell clients of each other; what is handed over is served by the second one. */
describe("a hand-over", () => {
  let first: RealServer;
  let second: RealServer;
  let client: HStreamClient;
  let atSecond: HStreamClient;
  let handedOver = false;

  before(async () => {
    const members: { id: number; host: string; port: number; version: string }[] = [];
    const ownerOf = () => (handedOver ? members[0] : undefined);
    second = await startRealServer();
    members.push({ id: 2 ** 31, host: "127.0.0.1", port: second.server.port, version: "0" });
    first = await startRealServer({}, "hstream", { peers: { members, ownerOf } });
    client = await HStreamClient.connect(first.url, { retryPauseMs: 100 });
    atSecond = await HStreamClient.connect(second.url);
    for (const { streams, subscriptions } of [client, atSecond]) {
      await streams.create("handed");
      await subscriptions.create("over", { stream: "handed", offset: "earliest" });
    }
  });
  afterEach(() => {
    handedOver = false;
  });
  after(async () => {
    await client.close();
    await atSecond.close();
    await first.stop();
    await second.stop();
  });

  it("is followed by consumers and producers, which look up again", async () => {
    await client.append("handed", ["first"], { type: text });
    const found: string[] = [];
    for await (const record of client.consume("over", { type: text })) {
      found.push(record.value);
      record.ack();
      if (found.length === 2) break;
      // What a hand-over begins with: the streams of consumers end with UNAVAILABLE.
      await client.subscriptions.seek("over", "latest");
      handedOver = true;
      // The producer knew the first server. It gets as far as the second, where the shard is another one here.
      await assert.rejects(client.append("handed", ["lost"], { type: text }), /not part of stream/);
      await atSecond.append("handed", ["second"], { type: text });
    }
    assert.deepEqual(found, ["first", "second"]);
  });
});
