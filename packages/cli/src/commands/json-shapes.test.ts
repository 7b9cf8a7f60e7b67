import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HStreamClient } from "@hstream/client";
import { type RealServer, startRealServer } from "../test-kit/real-server.js";
import { runHere } from "../test-kit/run-here.js";

/** A JSON value as a type: `[{"name":string,"shards":number}]`. Of a list, the first item. */
function shapeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[${shapeOf(value[0])}]`;
  if (typeof value !== "object") return typeof value;
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}:${shapeOf(field)}`);
  return `{${fields.join(",")}}`;
}

const manual = fileURLToPath(new URL("../../../../docs/cli.md", import.meta.url));

/** What `-o json` prints; the manual has the same table. In this order, since they need each other. */
const shapes: readonly (readonly [command: string, shape: string])[] = [
  ["stream create demo", '{"stream":string,"created":boolean}'],
  [
    "stream list",
    '[{"name":string,"shards":number,"replication_factor":number,"backlog_seconds":number,"created_at":string}]',
  ],
  [
    "stream describe demo",
    '{"name":string,"shards":number,"replication_factor":number,"backlog_seconds":number,"created_at":string,"shard_list":[{"shard_id":string,"start":string,"end":string}]}',
  ],
  ["stream list-shard demo", '[{"shard_id":string,"start":string,"end":string}]'],
  ["stream append demo", '{"stream":string,"appended":number}'],
  [
    "stream read demo --until latest",
    '{"id":string,"key":string,"published_at":string,"value":{"n":number}}',
  ],
  ["stream trim demo --to earliest --yes", '{"stream":string,"shard_id":null,"to":string,"trimmed":boolean}'],
  ["subscription create s --stream demo --offset earliest", '{"subscription":string,"created":boolean}'],
  [
    "subscription list",
    '[{"id":string,"stream":string,"ack_timeout_seconds":number,"max_unacked_records":number,"offset":string,"created_at":string}]',
  ],
  [
    "subscription describe s",
    '{"id":string,"stream":string,"ack_timeout_seconds":number,"max_unacked_records":number,"offset":string,"created_at":string,"dispatch":string,"max_deliveries":null,"dead_letter_stream":null,"shards":[{"shard_id":string,"acknowledged_up_to":string,"newest":string,"unacked_records":number,"lag_ms":number}],"consumers":[]}',
  ],
  [
    "subscription consume s --limit 1",
    '{"id":string,"key":string,"published_at":string,"value":{"n":number}}',
  ],
  ["subscription seek s --to earliest", '{"subscription":string,"to":string,"moved":boolean}'],
  ["subscription delete s", '{"subscription":string,"deleted":boolean}'],
  ["sql -e INSERT·INTO·demo·(n)·VALUES·(2);", '{"message":string,"rowsAffected":number,"queryId":null}'],
  [
    "sql -e CREATE·VIEW·v·AS·SELECT·n,·COUNT(*)·AS·c·FROM·demo·GROUP·BY·n;",
    '{"message":string,"rowsAffected":number,"queryId":null}',
  ],
  ["sql -e SELECT·n·FROM·demo·LIMIT·1;", '[{"n":number}]'],
  [
    "query list",
    '[{"id":string,"status":string,"created_at":string,"sql":string,"kind":string,"sources":string,"sink":string}]',
  ],
  ["view list", '[{"name":string,"status":string,"created_at":string,"sql":string,"query":string}]'],
  [
    "view describe v",
    '{"name":string,"status":string,"created_at":string,"sql":string,"query":string,"columns":[{"column":string,"type":string}]}',
  ],
  ["view delete v", '{"view":string,"deleted":boolean}'],
  ["connector list", "[]"],
  ["node list", '[{"node_id":number,"host":string,"port":number}]'],
  ["node status", '[{"node_id":number,"host":string,"port":number,"state":string}]'],
  ["node check-running", '{"running":number,"nodes":number,"enough":boolean}'],
  ["init", '{"initialised":boolean,"nodes":number}'],
  ["context add here hstream://127.0.0.1", '{"context":string,"url":string,"used":boolean}'],
  ["context list", '[{"name":string,"url":string,"used":boolean}]'],
  ["context use here", '{"context":string,"url":string,"used":boolean}'],
  ["context remove here", '{"context":string,"removed":boolean}'],
  ["doctor", '[{"check":string,"finding":string,"detail":string}]'],
  [
    "bench --records 10 --echoes 2",
    '[{"case":string,"count":number,"seconds":number,"per_second":number,"mib_per_second":null,"p50_ms":number,"p99_ms":number}]',
  ],
  ["stream delete demo", '{"stream":string,"deleted":boolean}'],
];

describe("JSON of the commands", function () {
  this.timeout(30_000);
  let server: RealServer;
  let directory: string;

  before(async () => {
    server = await startRealServer();
    directory = await mkdtemp(join(tmpdir(), "hstream-shapes-"));
  });
  after(() => server.stop());

  it("complaints 29 and 35: comes as YAML, CSV and NDJSON as well, with nothing to list as nothing", async () => {
    const env = { HSTREAM_PORT: String(server.port), XDG_CONFIG_HOME: directory };
    const list = async (format: string) => (await runHere(["stream", "list", "-o", format], { env })).stdout;
    assert.equal(await list("json"), "[]\n");
    assert.equal(await list("ndjson"), "");
    assert.equal(await list("yaml"), "[]\n");
    assert.equal(await list("csv"), "name,shards,replication_factor,backlog_seconds,created_at\n");
    assert.match(await list("table"), /name.*shards/);
  });

  it("complaints 20, 29 and 35: has the shapes that the manual tells", async () => {
    const text = readFileSync(manual, "utf8");
    const env = { HSTREAM_PORT: String(server.port), XDG_CONFIG_HOME: directory, XDG_STATE_HOME: directory };
    // So that there is a query to list.
    await using client = await HStreamClient.connect(server.url);
    await client.streams.create("watched");
    for await (const watching of client.sql("SELECT a FROM watched EMIT CHANGES;")) {
      assert.notEqual(watching.queryId, undefined);
      await pinShapes(text, env);
      break;
    }
  });
});

async function pinShapes(text: string, env: Record<string, string>): Promise<void> {
  for (const [command, shape] of shapes) {
    const args = command.split(" ").map((word) => word.replaceAll("·", " "));
    const { code, stdout, stderr } = await runHere([...args, "-o", "json"], { env, input: '{"n":1}' });
    assert.equal(code, 0, `${command}: ${stderr}`);
    const values = stdout
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    assert.equal(shapeOf(values[0]), shape, command);
    const row = `| \`${command.replaceAll("·", " ")}\` | \`${shape}\` |`;
    assert.ok(text.includes(row), `the manual lacks ${row}`);
  }
}
