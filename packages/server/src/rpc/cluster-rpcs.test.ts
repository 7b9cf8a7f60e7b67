import assert from "node:assert/strict";
import { DescribeClusterResponse, type HStreamApiClient, NodeState } from "@hstream/proto";
import { encodeDescription, knowsOldDescription } from "./describe-codec.js";
import { call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";

describe("the cluster over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;

  before(async () => {
    test = await startTestServer({ flags: { "advertised-address": "localhost" } });
    api = test.api;
  });
  after(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  it("echoes", async () => {
    assert.deepEqual(await call(api, api.echo, { msg: "héllo" }), { msg: "héllo" });
  });

  it("describes itself, with the address that it advertises", async () => {
    const described = await call(api, api.describeCluster, {});
    const [node] = described.serverNodes;
    assert.equal(described.protocolVersion, "0.1.0");
    assert.deepEqual([node?.host, node?.port], ["localhost", test.server.port]);
    assert.ok((node?.id ?? 0) > 0);
    assert.equal(node?.version?.version, "0.0.0-test");
    assert.deepEqual(described.serverNodesStatus, [{ node, state: NodeState.Running }]);
  });

  it("looks up what does not exist too, and echoes its id", async () => {
    const [node] = (await call(api, api.describeCluster, {})).serverNodes;
    assert.deepEqual(await call(api, api.lookupShard, { shardId: 7n }), { shardId: 7n, serverNode: node });
    const subscriptionId = "no such thing";
    const found = await call(api, api.lookupSubscription, { subscriptionId });
    assert.deepEqual(found, { subscriptionId, serverNode: node });
    const readerId = "reader";
    const reader = await call(api, api.lookupShardReader, { readerId });
    assert.deepEqual(reader, { readerId, serverNode: node });
    assert.deepEqual(await call(api, api.lookupKey, { partitionKey: "k" }), node);
    for (const resType of [0, 1, 2, 3, 4, 5] as const) {
      assert.deepEqual(await call(api, api.lookupResource, { resType, resId: "17" }), node);
    }
  });

  it("refuses resources of an unknown type or a bad name", async () => {
    const type = await failureOf(call(api, api.lookupResource, { resType: 9 as 0, resId: "a" }));
    assert.deepEqual([type.status, type.error], [3, 0]);
    assert.equal((await failureOf(call(api, api.lookupResource, { resType: 0, resId: "" }))).status, 3);
  });

  it("refuses messages that it cannot read, as the caller's fault", async () => {
    const noise = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    const path = (name: string) => `/hstream.server.HStreamApi/${name}`;
    for (const name of ["CreateStream", "Append", "DescribeCluster", "ParseSql"]) {
      const answer = new Promise((resolve, reject) => {
        const same = (message: Buffer) => message;
        api.makeUnaryRequest(path(name), same, same, noise, (error, response) =>
          error === null ? resolve(response) : reject(error),
        );
      });
      const { status, error } = await failureOf(answer);
      assert.deepEqual([status, error], [3, 0], name);
    }
  });

  it("describes the cluster in the older form to clients that know no other", () => {
    const node = { id: 7, host: "h", port: 6570, version: { version: "1", commit: "" } };
    const description = {
      protocolVersion: "0.1.0",
      serverNodes: [node],
      serverNodesStatus: [{ node, state: NodeState.Running }],
      clusterUpTime: 300n,
    };
    assert.deepEqual(DescribeClusterResponse.decode(encodeDescription(description, false)), description);
    assert.equal(
      encodeDescription(description, true).toString("hex"),
      "0a05302e312e30" + // 1: "0.1.0"
        "120131" + // 2: "1", the version
        "1a0d" + // 3: the node
        "0807120168" +
        "18aa33" +
        "22030a0131" +
        "2211" + // 4: its status
        "0a0d08071201" +
        "6818aa3322030a0131" +
        "1001" +
        "28ac02", // 5: 300
    );
    for (const [agent, old] of [
      ["grpc-go/1.47.0", true],
      ["proxy/1 grpc-go/1.9.0", true],
      ["grpc-go/1.53.0", false],
      ["grpc-node-js/1.14.7", false],
      ["", false],
    ] as const) {
      assert.equal(knowsOldDescription(agent), old, agent);
    }
  });

  it("answers every other call with UNIMPLEMENTED", async () => {
    const plan = await failureOf(call(api, api.getSchema, { owner: "s" }));
    assert.deepEqual([plan.status, plan.error], [12, 0]);
    assert.match(plan.text ?? "", /GetSchema/);
  });
});
