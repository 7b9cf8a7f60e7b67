/**
 * SQL over 1,000,000 stored Nexmark bids: events per CPU-second of the whole process, user and system, all
 * threads and garbage collection, from the log's files through the query's worker to encoded answers, which
 * are counted and dropped. Ingest is apart. Each case runs in a process of its own, with a server of its own.
 *
 * "in memory" is the engine alone, in one thread, over the same batches: what is between is the log's and the
 * threads' share.
 *
 *   npm run bench sql -- [--bids N] [--only NAME] [--json]
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateForBench, runSql } from "./nexmark/run-sql.mjs";
import { Nexmark } from "./nexmark/generator.mjs";
import { StoredServer } from "./nexmark/stored-server.mjs";
import { storedBatches, tables } from "./nexmark/tables.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const bidCount = Number(option("--bids", "1000000"));
const auctionCount = Math.ceil((bidCount * 3) / 46);

const cases = {
  projection: {
    sql: "SELECT auction, bidder, price * 2 AS doubled FROM bid EMIT CHANGES",
    target: 2_000_000,
  },
  filter: { sql: "SELECT auction, price FROM bid WHERE auction % 123 = 0 EMIT CHANGES", target: 2_000_000 },
  "select *": { sql: "SELECT * FROM bid EMIT CHANGES" },
  "group by": { sql: "SELECT auction, count(*) AS n FROM bid GROUP BY auction", target: 1_500_000 },
  "group by, changes": { sql: "SELECT auction, count(*) AS n FROM bid GROUP BY auction EMIT CHANGES" },
  join: {
    sql: "SELECT b.auction, b.price, a.category FROM bid AS b JOIN auction AS a ON b.auction = a.id",
    target: 500_000,
  },
  "top 10": {
    sql: `SELECT auction, bidder, price, n FROM (
            SELECT auction, bidder, price, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS n FROM bid
          ) AS t WHERE n <= 10`,
    target: 300_000,
  },
  "top 10, changes": {
    sql: `SELECT auction, bidder, price FROM (
            SELECT auction, bidder, price, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS n FROM bid
          ) AS t WHERE n <= 10 EMIT CHANGES`,
    inMemoryOnly: true,
  },
  "sum of fractions": { sql: "SELECT auction, sum(price * 0.908) AS s FROM bid GROUP BY auction" },
  "pull aggregate": {
    sql: "SELECT channel, count(*) AS n, avg(price) AS mean FROM bid GROUP BY channel",
    duckDb: true,
  },
};

const none = { batches: [], count: 0 };
const inner = option("--case", undefined);
if (inner !== undefined) {
  console.log(JSON.stringify(await measure(cases[inner])));
} else {
  const only = option("--only", undefined);
  const asJson = process.argv.includes("--json");
  const results = [];
  for (const name of Object.keys(cases)) {
    if (only !== undefined && only !== name) continue;
    const self = fileURLToPath(import.meta.url);
    const args = ["--max-old-space-size=4096", self, "--case", name, "--bids", String(bidCount)];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${name}: ${stderr}`);
    const result = { case: name, ...JSON.parse(stdout.trim().split("\n").at(-1)) };
    results.push(result);
    if (!asJson) console.log(line(result));
  }
  if (asJson) console.log(JSON.stringify(results, null, 2));
}

async function measure({ sql, target, duckDb, inMemoryOnly }) {
  const nexmark = new Nexmark();
  const withAuctions = sql.includes("auction AS");
  if (inMemoryOnly === true) {
    const { turns, result } = await inMemoryTurns(sql, nexmark, withAuctions);
    return { rows: result, ...speed(turns, bidCount + (withAuctions ? auctionCount : 0)), target: null };
  }
  const server = await StoredServer.open();
  let events = 0;
  try {
    for (const [kind, count] of [
      ["auction", withAuctions ? auctionCount : 0],
      ["bid", bidCount],
    ]) {
      const columns = Object.entries(tables[kind]).map(([name, type]) => `${name} ${type}`);
      await server.run(`CREATE STREAM ${kind} (${columns.join(", ")});`);
      if (count > 0) events += await server.append(kind, nexmark.ofKind(kind, count));
    }
    // A query without end is over when it has given as many rows as there are: one for each event, or what a
    // pull gives.
    const isPush = sql.includes("EMIT");
    const isGrouped = sql.includes("GROUP BY");
    const rowsMax = isPush && !isGrouped ? (await server.run(`${pullOf(sql)};`)).rows : events;
    const text = isPush ? `${sql} FROM EARLIEST` : sql;
    const ours = await turnsOf(async () => (await server.run(`${text};`, isPush ? rowsMax : undefined)).rows);
    const inMemory = await inMemoryTurns(sql, nexmark, withAuctions);
    const result = {
      rows: ours.result,
      ...speed(ours.turns, events),
      target: target ?? null,
      "in memory": millions(speed(inMemory.turns, events).eventsPerCpuSecond),
      wallSeconds: seconds(ours.turns, "wallSeconds"),
    };
    if (duckDb !== true) return result;
    const theirs = await duckDbTurns(sql, nexmark, ours.result);
    return {
      ...result,
      cpuSeconds: seconds(ours.turns, "cpuSeconds"),
      duckDbWallSeconds: seconds(theirs, "wallSeconds"),
      duckDbCpuSeconds: seconds(theirs, "cpuSeconds"),
    };
  } finally {
    await server.close();
  }
}

function speed(turns, events) {
  const cpuSeconds = turns.map((turn) => turn.cpuSeconds);
  return {
    events,
    eventsPerCpuSecond: Math.round(events / median(cpuSeconds)),
    best: Math.round(events / Math.min(...cpuSeconds)),
  };
}

function pullOf(sql) {
  return sql.replace(/ EMIT CHANGES$/, "");
}

/** Five turns, after one that warms up. */
async function turnsOf(run) {
  const turns = [];
  let result;
  for (let turn = 0; turn < 6; turn++) {
    const before = process.cpuUsage();
    const started = performance.now();
    result = await run();
    const { user, system } = process.cpuUsage(before);
    const wallSeconds = (performance.now() - started) / 1000;
    if (turn > 0) turns.push({ cpuSeconds: (user + system) / 1e6, wallSeconds });
  }
  return { turns, result };
}

async function inMemoryTurns(sql, nexmark, withAuctions) {
  const streams = {
    auction: withAuctions ? storedBatches(nexmark.ofKind("auction", auctionCount)) : none,
    bid: storedBatches(nexmark.ofKind("bid", bidCount)),
  };
  const inflate = await inflateForBench();
  return turnsOf(async () => runSql(sql, tables, streams, inflate).rows);
}

/** DuckDB over the same rows as newline-delimited JSON. */
async function duckDbTurns(sql, nexmark, rows) {
  const folder = mkdtempSync(join(tmpdir(), "hstream-bench-"));
  try {
    const file = join(folder, "bid.ndjson");
    writeFileSync(file, "");
    for (const piece of jsonLines(nexmark.ofKind("bid", bidCount))) appendFileSync(file, piece);
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const columns = Object.entries(tables.bid).map(
      ([name, type]) => `${name}: '${type === "INTEGER" ? "BIGINT" : "VARCHAR"}'`,
    );
    const from = `read_json('${file}', format = 'newline_delimited', columns = {${columns.join(", ")}})`;
    const { turns } = await turnsOf(async () => {
      const reader = await connection.runAndReadAll(sql.replace("FROM bid", `FROM ${from}`));
      const given = reader.getRowsJS().length;
      if (given !== rows) throw new Error(`DuckDB gives ${given} rows, and we ${rows}`);
    });
    return turns;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function seconds(turns, of) {
  return Number(median(turns.map((one) => one[of])).toFixed(3));
}

function* jsonLines(records) {
  let piece = "";
  for (const record of records) {
    piece += `${JSON.stringify(record)}\n`;
    if (piece.length < 1_000_000) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}

function line({ case: name, rows, events, eventsPerCpuSecond, best, target, ...rest }) {
  const parts = [`${name}: ${millions(eventsPerCpuSecond)} events per CPU-second (best ${millions(best)})`];
  parts.push(`${events} events, ${rows} rows`);
  if (target !== null) parts.push(`target ${millions(target)}`);
  for (const [key, value] of Object.entries(rest)) parts.push(`${key} ${value}`);
  return parts.join(", ");
}

function millions(value) {
  return `${(value / 1e6).toFixed(2)} M`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
