/**
 * What a person at the shell waits for: the completion of a word with 5,000 streams to choose from, and a
 * row of a push query, from the insertion in one process to the line that another prints.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { HStreamClient } from "@hstream/client";
import { functionTable } from "@hstream/sql/runtime";
import { complete } from "../packages/cli/dist/shell/completion/complete.js";
import { root } from "../scripts/ready.mjs";
import { serve } from "../scripts/serve.mjs";
import { bench } from "./harness.mjs";

const bin = join(root, "packages/cli/bin/hstream.mjs");
const sources = {
  relations: Array.from({ length: 5_000 }, (_, n) => ({ name: `s${n}`, kind: "stream" })),
  columns: () => [{ name: "origin", type: "STRING" }],
  functions: functionTable,
  files: () => [],
  savedQueries: [],
};
const statement = `SELECT origin, COUNT(*) AS n FROM s1 WHERE delay > 5 ${"AND delay < 9 ".repeat(50)} AND ori`;

const server = await serve(bin);
const client = await HStreamClient.connect(`hstream://127.0.0.1:${server.port}`);
await client.streams.create("demo");
const push = spawn(
  process.execPath,
  [bin, "sql", "-q", "-o", "ndjson", "-e", "SELECT a FROM demo EMIT CHANGES;"],
  { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, HSTREAM_PORT: String(server.port) } },
);
const lines = createInterface(push.stdout);
let inserted = 0;

async function insert() {
  await client.sql(`INSERT INTO demo (a) VALUES (${++inserted});`).finish();
}

// The query reads what comes after its start, so insert until the first row is there.
const first = once(lines, "line");
let seen = false;
first.then(() => {
  seen = true;
});
while (!seen) await Promise.race([insert(), first]);

await bench([
  {
    case: "completion of a word, 5,000 streams",
    unit: "ms",
    measure: async () => {
      const started = performance.now();
      for (let i = 0; i < 10; i++) complete(statement, statement.length, sources);
      return (performance.now() - started) / 10;
    },
    target: "≤ 5",
  },
  {
    case: "push query, insertion to printed row",
    unit: "ms",
    turns: 50,
    measure: async () => {
      const printed = once(lines, "line");
      const started = performance.now();
      await insert();
      await printed;
      return performance.now() - started;
    },
    target: "≤ 100",
  },
]);

push.kill();
await client.close();
await server.stop();
