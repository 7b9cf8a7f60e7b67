/**
 * What a person at the shell waits for: the prompt, a key while rows stream by, the completion of a word,
 * a row of a push query; and what a pipe waits for: a million rows as ndjson.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { HStreamClient } from "@hstream/client";
import { functionTable } from "@hstream/sql/runtime";
import * as pty from "@lydell/node-pty";
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
const statement = `SELECT origin, COUNT(*) AS n FROM s1 ${"JOIN s2 ON s1.a = s2.a ".repeat(10)}WHERE delay > 5 ${"AND delay < 9 ".repeat(50)} AND ori`;

const pipedRows = 1_000_000;
const streamedRowsPerSecond = 10_000;
/** Of 10 ms each. */
const ticksPerSecond = 100;

const state = mkdtempSync(join(tmpdir(), "hstream-bench-"));
const server = await serve(bin);
const env = {
  ...process.env,
  HSTREAM_PORT: String(server.port),
  XDG_STATE_HOME: state,
  TERM: "xterm-256color",
};
// Whoever measures is at no CI's terminal.
delete env.CI;
const client = await HStreamClient.connect(`hstream://127.0.0.1:${server.port}`);
for (const name of ["demo", "busy", "big"]) await client.streams.create(name);
await fill("big", pipedRows);

const push = spawn(
  process.execPath,
  [bin, "sql", "-q", "-o", "ndjson", "-e", "SELECT a FROM demo EMIT CHANGES;"],
  { stdio: ["ignore", "pipe", "inherit"], env },
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

let busy;

await bench([
  {
    case: "prompt ready, from the start of the process",
    unit: "ms",
    turns: 20,
    measure: async () => {
      const started = performance.now();
      const terminal = openShell();
      // The prompt stands, and the cursor behind it.
      await terminal.shows("\u001b[3G");
      const ready = performance.now() - started;
      await terminal.end();
      return ready;
    },
    floor: async () => {
      const started = performance.now();
      spawnSync(process.execPath, ["-e", "0"]);
      return performance.now() - started;
    },
    target: "ratio ≤ 4",
  },
  {
    case: `key on the screen while ${streamedRowsPerSecond.toLocaleString("en-US")} rows/s stream by`,
    unit: "ms",
    turns: 200,
    before: async () => {
      busy = await openBusyShell();
    },
    measure: () => busy.press(),
    after: async () => console.error(await busy.end()),
    target: "≤ 16",
  },
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
  {
    case: `${pipedRows.toLocaleString("en-US")} rows to a pipe as ndjson, the start of the process included`,
    unit: "rows/s",
    turns: 5,
    measure: async () => {
      const started = performance.now();
      const rows = await countLines(["sql", "-q", "-o", "ndjson", "-e", "SELECT * FROM big;"]);
      if (rows !== pipedRows) throw new Error(`${rows} rows came`);
      return rows / ((performance.now() - started) / 1_000);
    },
    target: "≥ 300000",
  },
]);

push.kill();
await client.close();
await server.stop();
rmSync(state, { recursive: true, force: true });

async function fill(stream, count) {
  const producer = await client.bufferedProducer(stream, { recordsMax: 10_000, bytesMax: 1_000_000 });
  for (let id = 0; id < count; id++) {
    await producer.write({ id, city: ["vienna", "graz", "linz"][id % 3], delay: ((id * 7919) % 1000) / 10 });
  }
  await producer.close();
}

async function countLines(args) {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ["ignore", "pipe", "inherit"], env });
  let count = 0;
  for await (const piece of child.stdout) {
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) count++;
  }
  return count;
}

/** The shell in a pseudo terminal. */
function openShell() {
  const terminal = pty.spawn(process.execPath, [bin, "sql"], { cols: 100, rows: 30, env });
  let output = "";
  let wake = () => {};
  terminal.onData((data) => {
    output += data;
    wake();
  });
  const exited = new Promise((resolve) => terminal.onExit(resolve));
  return {
    type: (text) => terminal.write(text),
    /** Forgets what was printed so far. */
    forget: () => {
      output = "";
    },
    shows: (text) =>
      new Promise((resolve) => {
        wake = () => {
          if (output.includes(text)) resolve();
        };
        wake();
      }),
    end: () => {
      terminal.kill("SIGTERM");
      return exited;
    },
  };
}

/** A shell with a push query that gets rows all the time, in which keys can be pressed. */
async function openBusyShell() {
  const terminal = openShell();
  await terminal.shows("\u001b[3G");
  terminal.type("SELECT a FROM busy EMIT CHANGES;");
  await terminal.shows("CHANGES");
  // By itself, or it would be taken for the line end of a paste.
  await pause(100);
  terminal.type("\r");
  await terminal.shows("watching");
  const producer = await client.bufferedProducer("busy", { recordsMax: 100, bytesMax: 1_000_000 });
  let sent = 0;
  let streaming = true;
  const started = performance.now();
  const feed = async () => {
    while (streaming) {
      const due = Math.floor(((performance.now() - started) / 1_000) * streamedRowsPerSecond);
      for (; sent < due; sent++) await producer.write({ a: sent });
      await pause(1_000 / ticksPerSecond);
    }
    await producer.close();
  };
  const feeding = feed();
  let pressed = 0;
  let inTime = 0;
  return {
    /** Rows are numbers, so a new letter on the screen is the one that was typed. */
    press: async () => {
      await pause(7 + (pressed % 5));
      const letter = String.fromCharCode(65 + (pressed++ % 20));
      if (letter === "A" && pressed > 1) {
        terminal.type("\u0015");
        await pause(50);
      }
      terminal.forget();
      const at = performance.now();
      terminal.type(letter);
      await terminal.shows(letter);
      const waited = performance.now() - at;
      if (waited <= 16) inTime++;
      return waited;
    },
    end: async () => {
      streaming = false;
      const seconds = (performance.now() - started) / 1_000;
      await feeding;
      await terminal.end();
      const rate = Math.round(sent / seconds).toLocaleString("en-US");
      return `  (${((100 * inTime) / pressed).toFixed(1)} % of ${pressed} keys within 16 ms; ${rate} rows/s were sent)`;
    },
  };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
