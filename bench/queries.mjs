/**
 * Queries that live on: how soon a view of 1,000,000 groups answers after a restart, and what four heavy
 * queries do to the appends of others. Each case in a server of its own, in this process.
 *
 *   npm run bench queries -- [--groups N] [--json]
 */
import { bench } from "./harness.mjs";
import { StoredServer } from "./nexmark/stored-server.mjs";
import { storedBatches } from "./nexmark/tables.mjs";

const at = process.argv.indexOf("--groups");
const groups = at < 0 ? 1_000_000 : Number(process.argv[at + 1]);

/** Until the view answers, asking again while it says that it is not ready. */
async function answered(server, sql) {
  for (;;) {
    try {
      return await server.run(sql);
    } catch (error) {
      if (error.kind !== "ReadTimedOut") throw error;
    }
  }
}

function* records(count) {
  for (let i = 0; i < count; i++) yield { k: `key${i}`, n: i % 100 };
}

let stored;
const restart = {
  case: `restart with a view of ${groups} groups, until a look-up is answered`,
  unit: "s",
  turns: 3,
  target: "≤ 5 s",
  before: async () => {
    stored = await StoredServer.open();
    await stored.run("CREATE STREAM s;");
    await stored.append("s", records(groups));
    await stored.run("CREATE VIEW v AS SELECT k, COUNT(*) AS c, SUM(n) AS total FROM s GROUP BY k;");
    await answered(stored, "SELECT * FROM v WHERE k = 'key7';");
  },
  measure: async () => {
    await stored.stop();
    const before = performance.now();
    await stored.start();
    const { rows } = await answered(stored, "SELECT * FROM v WHERE k = 'key7';");
    if (rows !== 1) throw new Error(`the look-up gave ${rows} rows`);
    return (performance.now() - before) / 1_000;
  },
  after: () => stored.close(),
};

/** The 99th percentile of appends, one every two milliseconds for two seconds. */
async function appendP99(server) {
  const { batches } = storedBatches([{ k: "x", n: 1 }]);
  const [batch] = batches;
  const times = [];
  for (let i = 0; i < 1_000; i++) {
    times.push(server.timedAppend("quiet", { recordCount: 1, compression: 0, payload: batch.payload }));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const sorted = (await Promise.all(times)).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)];
}

const busy = {};
const isolation = {
  case: "append p99 with four heavy queries; floor: without them",
  unit: "ms",
  turns: 3,
  target: "ratio ≤ 2",
  before: async () => {
    busy.with = await StoredServer.open();
    busy.without = await StoredServer.open();
    for (const server of [busy.with, busy.without]) await server.run("CREATE STREAM quiet; CREATE STREAM s;");
    for (let i = 0; i < 10; i++) await busy.with.append("s", records(100_000));
    // They count the pairs of a join again and again, for as long as the measurement takes.
    for (let i = 0; i < 4; i++) {
      await busy.with.run(
        `CREATE VIEW heavy${i} AS SELECT a.n, COUNT(*) AS pairs FROM s AS a JOIN s AS b WITHIN (INTERVAL 1 DAY) ON a.k = b.k
          WHERE a.n + b.n >= ${i} GROUP BY a.n;`,
      );
    }
  },
  measure: () => appendP99(busy.with),
  floor: () => appendP99(busy.without),
  after: async () => {
    await busy.with.close();
    await busy.without.close();
  },
};

await bench([restart, isolation]);
