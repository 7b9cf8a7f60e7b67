import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { batchOf, call, startTestServer } from "./rpc/test-server.test.helper.js";
import { createNodeEnv } from "./env/node-env.js";
import { SimulatedEnv } from "./env/simulated-env.js";
import { ServerStartError } from "./server.js";

const onDisk = (directory: string) => ({ env: createNodeEnv(), flags: { "data-dir": directory } });

describe("server", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "server-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("has after a restart what it acknowledged before, and the same node id", async () => {
    const first = await startTestServer(onDisk(directory));
    const stream = { streamName: "s", replicationFactor: 1, backlogDuration: 0, shardCount: 1 };
    await call(first.api, first.api.createStream, stream);
    const { shards } = await call(first.api, first.api.listShards, { streamName: "s" });
    const shardId = shards[0]?.shardId ?? 0n;
    const append = { streamName: "s", shardId, records: batchOf("a") };
    const { recordIds } = await call(first.api, first.api.append, append);
    const { serverNodes } = await call(first.api, first.api.describeCluster, {});
    await first.close();
    const second = await startTestServer(onDisk(directory));
    const { tailRecordId } = await call(second.api, second.api.getTailRecordId, { streamName: "s", shardId });
    assert.deepEqual(tailRecordId, recordIds[0]);
    const again = await call(second.api, second.api.describeCluster, {});
    assert.equal(again.serverNodes[0]?.id, serverNodes[0]?.id);
    const later = await call(second.api, second.api.append, append);
    assert.ok((later.recordIds[0]?.batchId ?? 0n) > (recordIds[0]?.batchId ?? 0n));
    await second.close();
    assert.deepEqual([...first.defects, ...second.defects], []);
  });

  it("says who holds the directory, or that the port is taken, and leaves nothing open", async () => {
    const first = await startTestServer(onDisk(directory));
    await assert.rejects(startTestServer(onDisk(directory)), (error) => {
      assert.ok(error instanceof ServerStartError);
      assert.match(error.message, /Cannot open the data in .*in use by .*HStream server/);
      return true;
    });
    await first.close();
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, "127.0.0.1", resolve));
    const address = occupant.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { env, flags } = onDisk(directory);
    await assert.rejects(startTestServer({ env, flags: { ...flags, port } }), (error) => {
      assert.ok(error instanceof ServerStartError);
      assert.match(error.message, new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port}: `));
      return true;
    });
    await new Promise((resolve) => occupant.close(resolve));
    // The failed start has given the directory back.
    await (await startTestServer(onDisk(directory))).close();
  });

  it("syncs appends as the setting says", async () => {
    for (const [fsync, expected] of [
      ["always", true],
      ["never", false],
    ] as const) {
      const env = new SimulatedEnv();
      const server = await startTestServer({ env, flags: { fsync } });
      const stream = { streamName: "s", replicationFactor: 1, backlogDuration: 0, shardCount: 1 };
      await call(server.api, server.api.createStream, stream);
      const { shards } = await call(server.api, server.api.listShards, { streamName: "s" });
      let syncs = 0;
      env.disk.faults = ({ name }) => {
        if (name === "datasync") syncs++;
        return undefined;
      };
      const shardId = shards[0]?.shardId ?? 0n;
      await call(server.api, server.api.append, { streamName: "s", shardId, records: batchOf("a") });
      assert.equal(syncs > 0, expected);
      await server.close();
    }
  });

  it("answers what is under way before it closes, and refuses what comes later with UNAVAILABLE", async () => {
    const test = await startTestServer(onDisk(directory));
    const stream = { streamName: "s", replicationFactor: 1, backlogDuration: 0, shardCount: 1 };
    await call(test.api, test.api.createStream, stream);
    const { shards } = await call(test.api, test.api.listShards, { streamName: "s" });
    const append = { streamName: "s", shardId: shards[0]?.shardId ?? 0n, records: batchOf("a") };
    const answers = Array.from({ length: 50 }, () => call(test.api, test.api.append, append));
    await answers[0];
    const closing = test.server.close();
    const settled = await Promise.allSettled(answers);
    for (const answer of settled) {
      if (answer.status === "rejected") assert.equal((answer.reason as { code: number }).code, 14);
    }
    await closing;
    await test.close();
    assert.deepEqual(test.defects, []);
  });
});
