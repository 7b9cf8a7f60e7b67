/**
 * Nexmark q0 to q22: events per CPU-second of the whole process, user and system, all threads and garbage
 * collection, from 1,000,000 events (persons, auctions and bids together) stored in three streams at 10,000 events
 * a second of event time. Each turn reads the log's files, runs the query in a worker thread with changes coalesced
 * per step of at most 50,000 rows, and counts and drops the encoded answers. Generator and ingest are apart. Each
 * query runs in a process of its own; the median of three turns, after one that warms up.
 *
 * The streams are read in turn, a piece of each at a time, so auctions are read long before their bids.
 *
 *   npm run bench nexmark -- [--events N] [--only q5] [--in-memory] [--json]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bindStatement, optimise, parseScript, toPhysical } from "@hstream/sql";
import { createNodeEnv } from "@hstream/server";
import { loadInflate } from "@hstream/proto";
import { Execution } from "../packages/server/dist/executor/execution.js";
import { ExecutorHost } from "../packages/server/dist/executor/executor-host.js";
import { encodeRows } from "../packages/server/dist/executor/run.test.helper.js";
import { limits } from "../packages/server/dist/limits.js";
import { storedBatches as readBatches } from "../packages/server/dist/queries/query-input.js";
import {
  nexmarkQueries,
  nexmarkTables,
  sideInputRows,
} from "../packages/server/dist/sql-tests/nexmark-queries.test.helper.js";
import { Nexmark } from "./nexmark/generator.mjs";
import { StoredServer } from "./nexmark/stored-server.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const eventCount = Number(option("--events", "1000000"));
const isInMemory = process.argv.includes("--in-memory");
const stepRows = 50_000;
const turns = 3;

const inner = option("--query", undefined);
if (inner !== undefined) {
  console.log(JSON.stringify(await measure(nexmarkQueries.find(({ name }) => name === inner))));
} else {
  const only = option("--only", undefined)?.split(",");
  const asJson = process.argv.includes("--json");
  const results = [];
  if (!asJson) {
    console.log(`${eventCount} events, thousand events per CPU-second; other engines as published, per core`);
    console.log(line(["query", "events/s", "floor", "reached", "Flink", "RisingWave", "wall s", "rows out"]));
  }
  for (const { name, floor, flink, risingWave } of nexmarkQueries) {
    if (only !== undefined && !only.includes(name)) continue;
    const self = fileURLToPath(import.meta.url);
    const args = ["--max-old-space-size=4096", self, "--query", name, "--events", String(eventCount)];
    if (isInMemory) args.push("--in-memory");
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${name}: ${stderr}`);
    const result = { query: name, ...JSON.parse(stdout.trim().split("\n").at(-1)), floor, flink, risingWave };
    results.push(result);
    const { thousands, wallSeconds, rows } = result;
    const reached = `${(thousands / floor).toFixed(2)} x`;
    const theirs = [flink, risingWave].map((figure) => figure ?? "-");
    if (!asJson) console.log(line([name, thousands, floor, reached, ...theirs, wallSeconds, rows]));
  }
  if (asJson) console.log(JSON.stringify(results, null, 2));
}

function line(cells) {
  return cells.map((cell) => String(cell).padStart(11)).join("");
}

/** The plan as of a push query with changes coalesced; `ids`: of the streams by name. */
function planOf(sql, ids) {
  const columnsOf = (types) => Object.entries(types).map(([name, type]) => ({ name, type }));
  const side = { key: { kind: "integer" }, value: { kind: "string" } };
  const catalog = {
    relation: (name) => {
      if (name === "side_input") {
        return { kind: "view", id: name, name, columns: columnsOf(side), open: false, appendOnly: false };
      }
      if (nexmarkTables[name] === undefined) return undefined;
      const time = { timeColumn: "date_time", latenessMs: 4000 };
      return {
        ...{ kind: "stream", id: ids[name], name, columns: columnsOf(nexmarkTables[name]) },
        ...{ open: true, appendOnly: true, ...time },
      };
    },
    relationNames: () => Object.keys(nexmarkTables),
  };
  const { statements } = parseScript(`${sql} EMIT CHANGES COALESCED;`);
  const { bound, diagnostics } = bindStatement(statements[0], catalog);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("; "));
  return toPhysical(optimise(bound.query));
}

async function measure({ sql }) {
  const server = await StoredServer.open();
  const env = createNodeEnv();
  const host = await ExecutorHost.start({ timers: env.timers, limits: { stepRowsMax: stepRows } });
  try {
    const nexmark = new Nexmark();
    const ids = {};
    const { streams, log } = server.rooms;
    for (const [name, types] of Object.entries(nexmarkTables)) {
      const columns = Object.entries(types).map(([column, { kind }]) => `${column} ${kind.toUpperCase()}`);
      await server.run(`CREATE STREAM ${name} (${columns.join(", ")});`);
      ids[name] = streams.get(name).id;
    }
    const plan = planOf(sql, ids);
    // Streams that the query does not read would only take time.
    for (const [name, id] of Object.entries(ids)) {
      if (plan.sources.some((source) => source.id === id)) await server.append(name, eventsOf(nexmark, name));
    }
    const shardIds = Object.keys(nexmarkTables).map((name) => [name, streams.get(name).shardIds[0]]);
    const inputsOf = () => readInputs(log, host.inputMemory, plan, ids, shardIds);
    const run = isInMemory ? await inThisThread(plan, inputsOf) : () => inWorker(host, plan, inputsOf);
    const cpu = [];
    const wall = [];
    let rows = 0;
    for (let turn = 0; turn <= turns; turn++) {
      const before = process.cpuUsage();
      const started = performance.now();
      rows = await run();
      const { user, system } = process.cpuUsage(before);
      if (turn === 0) continue;
      cpu.push((user + system) / 1e6);
      wall.push((performance.now() - started) / 1000);
    }
    return {
      thousands: Math.round(eventCount / median(cpu) / 1000),
      wallSeconds: Number(median(wall).toFixed(2)),
      rows,
    };
  } finally {
    await host.close();
    await server.close();
  }
}

function* eventsOf(nexmark, kind) {
  for (let event = 0; event < eventCount; event++) {
    if (nexmark.kindOf(event) !== kind) continue;
    const record = nexmark.event(event);
    yield kind === "bid" ? { ...record, seq: event } : record;
  }
}

/** What is fed, in pieces of about a step: of each stream in turn what one read of its shard gives. */
async function* readInputs(log, memory, plan, ids, shardIds) {
  const sources = new Map();
  for (const [source, { id }] of plan.sources.entries())
    sources.set(id, [...(sources.get(id) ?? []), source]);
  if (sources.has("side_input")) {
    const list = Array.from({ length: sideInputRows }, (_, i) => ({ row: [i, String(i)], weight: 1 }));
    const inputs = [{ kind: "rows", source: sources.get("side_input")[0], batches: encodeRows(list, 2) }];
    yield { inputs, leases: [] };
  }
  const wanted = shardIds.filter(([name]) => sources.has(ids[name]));
  let readers = wanted.map(([name, shardId]) => {
    const read = readBatches(log, memory, shardId, log.tail(shardId));
    return { sources: sources.get(ids[name]), shardId, read };
  });
  let inputs = [];
  let leases = [];
  let rows = 0;
  while (readers.length > 0) {
    for (const reader of readers) {
      const { value: piece, done } = await reader.read.next();
      reader.done = done;
      if (done) continue;
      const { batches } = piece;
      leases.push(piece.memory);
      for (const source of reader.sources)
        inputs.push({ kind: "records", source, shard: reader.shardId, batches });
      for (const { recordCount } of batches) rows += recordCount;
    }
    readers = readers.filter(({ done }) => !done);
    if (rows >= stepRows * 0.8) {
      yield { inputs, leases };
      inputs = [];
      leases = [];
      rows = 0;
    }
  }
  yield { inputs, leases };
}

async function inWorker(host, plan, inputsOf) {
  const execution = host.open(plan, { kind: "emit" }, 0);
  let rows = 0;
  const take = async (reports) => {
    for await (const report of reports) rows += report.rowsOut;
  };
  // One piece is read while another is worked on.
  let before = take(execution.feed([], 0));
  for await (const { inputs, leases } of inputsOf()) {
    const next = take(execution.feed(inputs, 0, false, ...leases));
    await before;
    before = next;
  }
  await before;
  execution.cancel();
  return rows;
}

/** The engine alone, for profiles: all input is read beforehand. */
async function inThisThread(plan, inputsOf) {
  const inflate = await loadInflate(limits.inflatedBytesMax);
  const all = [];
  // What is leased stays so.
  for await (const { inputs } of inputsOf()) all.push(inputs);
  return async () => {
    const execution = new Execution(plan, { kind: "emit" }, 0, inflate, { ...limits, stepRowsMax: stepRows });
    let rows = 0;
    const work = () => {
      while (execution.pending) rows += execution.step(0).rowsOut;
    };
    work();
    for (const inputs of all) {
      execution.feed(inputs);
      work();
    }
    return rows;
  };
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
