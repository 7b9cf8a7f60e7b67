import assert from "node:assert/strict";
import type { Connector, HStreamApiClient } from "@hstream/proto";
import { createNodeEnv } from "../env/node-env.js";
import { SimulatedDisk } from "../env/simulated-disk.js";
import { openQueries } from "../queries/open-queries.js";
import { call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";

const config = JSON.stringify({
  stream: "s",
  host: "db",
  port: 3306,
  user: "u",
  password: "p",
  database: "d",
  table: "t",
});

describe("connectors over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  const disk = new SimulatedDisk();

  const start = async () => {
    test = await startTestServer({ openSql: openQueries, env: { ...createNodeEnv(), disk } });
    api = test.api;
  };
  const create = (fields: Partial<Connector> = {}) =>
    call(api, api.createConnector, { name: "c", type: "sink", target: "MySQL", config, ...fields });
  const refused = async (answer: Promise<unknown>) => {
    const { status, error } = await failureOf(answer);
    return [status, error];
  };
  const statusOf = async (name: string) => (await call(api, api.getConnector, { name })).status;

  before(start);
  after(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  it("refuse what cannot be one, with the API's codes", async () => {
    assert.deepEqual(await refused(create({ target: "tape" })), [12, 605]);
    // There is no source of this kind.
    assert.deepEqual(await refused(create({ type: "SOURCE", target: "blackhole" })), [12, 605]);
    assert.deepEqual(await refused(create({ target: "__proto__" })), [12, 605]);
    assert.deepEqual(await refused(create({ type: "both" })), [3, 602]);
    assert.deepEqual(await refused(create({ name: "1" })), [3, 603]);
    for (const bad of ["[1]", "{", "null", '"x"']) {
      assert.deepEqual(await refused(create({ config: bad })), [3, 0], bad);
    }
    const check = await failureOf(create({ config: '{"port": "x", "stream": "s", "password": 7}' }));
    assert.deepEqual([check.status, check.error], [9, 604]);
    assert.deepEqual(check.extra, {
      host: "is missing",
      port: "must be of type integer",
      user: "is missing",
      password: "must be of type string",
      database: "is missing",
      table: "is missing",
    });
    const large = JSON.stringify({ stream: "x".repeat(70_000) });
    assert.deepEqual(await refused(create({ target: "blackhole", config: large })), [9, 604]);
    assert.deepEqual((await call(api, api.listConnectors, {})).connectors, []);
    const absent = { name: "absent" };
    assert.deepEqual(await refused(call(api, api.getConnector, absent)), [5, 600]);
    assert.deepEqual(
      await refused(call(api, api.getConnectorLogs, { ...absent, begin: 0, count: 1 })),
      [5, 600],
    );
    assert.deepEqual(await refused(call(api, api.deleteConnector, absent)), [5, 600]);
    assert.deepEqual(await refused(call(api, api.pauseConnector, absent)), [5, 600]);
    assert.deepEqual(await refused(call(api, api.resumeConnector, absent)), [5, 600]);
    assert.deepEqual(
      await refused(call(api, api.alterConnectorConfig, { ...absent, config: "{}" })),
      [5, 600],
    );
    assert.deepEqual(await refused(call(api, api.alterConnectorConfig, { ...absent, config: "{" })), [3, 0]);
  });

  it("tell what options there are, as a JSON schema", async () => {
    const { spec } = await call(api, api.getConnectorSpec, { type: "Sink", target: "blackhole" });
    const { type, required, properties } = JSON.parse(spec) as {
      type: string;
      required: string[];
      properties: object;
    };
    assert.deepEqual([type, required, Object.keys(properties)], ["object", ["stream"], ["stream"]]);
    assert.deepEqual(
      await refused(call(api, api.getConnectorSpec, { type: "SINK", target: "x" })),
      [12, 605],
    );
    assert.deepEqual(
      await refused(call(api, api.getConnectorSpec, { type: "x", target: "mysql" })),
      [3, 602],
    );
  });

  it("are kept, listed, paused, resumed, altered and deleted, and are there after a restart", async () => {
    const made = await create({ name: "kept" });
    assert.deepEqual(
      [made.name, made.type, made.target, made.status, made.config],
      ["kept", "SINK", "mysql", "NEW", config],
    );
    assert.ok((made.creationTime?.seconds ?? 0n) > 1_600_000_000n);
    assert.deepEqual(await refused(create({ name: "kept" })), [6, 601]);
    await create({ name: "other", type: "SOURCE", target: "generator", config: '{"stream": "s"}' });
    assert.deepEqual(
      (await call(api, api.listConnectors, {})).connectors.map(({ name }) => name),
      ["kept", "other"],
    );
    assert.deepEqual(await call(api, api.getConnectorLogs, { name: "kept", begin: 0, count: 10 }), {
      logs: "",
    });
    assert.deepEqual(
      await refused(call(api, api.getConnectorLogs, { name: "kept", begin: -1, count: 1 })),
      [3, 0],
    );

    assert.deepEqual(await refused(call(api, api.resumeConnector, { name: "kept" })), [9, 0]);
    await call(api, api.pauseConnector, { name: "kept" });
    assert.equal(await statusOf("kept"), "STOPPED");
    assert.deepEqual(await refused(call(api, api.pauseConnector, { name: "kept" })), [9, 0]);
    assert.deepEqual(await call(api, api.executeQuery, { stmtText: "RESUME CONNECTOR kept;" }), {
      resultSet: [],
    });
    assert.equal(await statusOf("kept"), "NEW");
    await call(api, api.executeQuery, { stmtText: "PAUSE CONNECTOR kept;" });

    await call(api, api.alterConnectorConfig, { name: "kept", config: '{"host": "db2", "__proto__": 1}' });
    const altered = JSON.parse((await call(api, api.getConnector, { name: "kept" })).config) as object;
    assert.deepEqual(Object.entries(altered).slice(0, 3), [
      ["stream", "s"],
      ["host", "db2"],
      ["port", 3306],
    ]);
    assert.ok(Object.hasOwn(altered, "__proto__"));
    const wrong = { name: "kept", config: '{"port": "x"}' };
    assert.deepEqual(await refused(call(api, api.alterConnectorConfig, wrong)), [9, 604]);

    const before = (await call(api, api.listConnectors, {})).connectors;
    await test.close();
    disk.lose();
    await start();
    assert.deepEqual((await call(api, api.listConnectors, {})).connectors, before);
    for await (const event of test.ext.executeSql({ sql: "SELECT * FROM connectors;" })) assert.ok(event);
    for (const { name } of before) await call(api, api.deleteConnector, { name });
    assert.deepEqual((await call(api, api.listConnectors, {})).connectors, []);
  });

  it("are made, shown, paused, resumed and dropped in SQL, too", async () => {
    const run = async (sql: string) => {
      for await (const event of test.ext.executeSql({ sql })) assert.ok(event);
    };
    const make =
      'CREATE SINK CONNECTOR sunk TO mysql WITH ("stream" = \'s\', "host" = \'db\', "port" = 3306, ';
    await run(`${make} "user" = 'u', "password" = 'p', "database" = 'd', "table" = 't');`);
    const made = await call(api, api.getConnector, { name: "sunk" });
    assert.deepEqual([made.type, made.target, made.config], ["SINK", "mysql", config]);
    await run("CREATE SOURCE CONNECTOR made FROM generator IF NOT EXIST WITH (\"stream\" = 's');");
    await run("CREATE SOURCE CONNECTOR made FROM generator IF NOT EXIST WITH (\"stream\" = 's');");
    await run("PAUSE CONNECTOR sunk;");
    assert.equal(await statusOf("sunk"), "STOPPED");
    await run("RESUME CONNECTOR sunk; SHOW CONNECTORS;");
    assert.equal(await statusOf("sunk"), "NEW");
    await run("DROP CONNECTOR sunk; DROP CONNECTOR made; DROP CONNECTOR IF EXISTS made;");
    assert.deepEqual((await call(api, api.listConnectors, {})).connectors, []);
    await assert.rejects(run("DROP CONNECTOR sunk;"), /does not exist/);
    await assert.rejects(run("CREATE SINK CONNECTOR x TO tape WITH (\"stream\" = 's');"), /not available/);
  });

  it("let one of several concurrent creators win", async () => {
    const made = await Promise.allSettled([1, 2, 3].map(() => create({ name: "contested" })));
    assert.equal(made.filter(({ status }) => status === "fulfilled").length, 1);
    await call(api, api.deleteConnector, { name: "contested" });
  });
});
