/**
 * What a statement costs before its first row: parsing, binding and planning a text of 1 KB once warm (CPU time
 * of the process, garbage collection too), and a push query over stored records from its text to its first row
 * (wall time, through the query's worker thread).
 *
 *   npm run bench sql-start -- [--json]
 */
import { planOf } from "./nexmark/run-sql.mjs";
import { Nexmark } from "./nexmark/generator.mjs";
import { StoredServer } from "./nexmark/stored-server.mjs";
import { tables } from "./nexmark/tables.mjs";

const statement = `WITH dear AS (
  SELECT auction, bidder, price, channel, url FROM bid
  WHERE price > 1000 AND auction BETWEEN 1 AND 90000 OR channel LIKE 'Goo%'
), per_channel AS (
  SELECT channel, auction, COUNT(*) AS bids, SUM(price) AS total, AVG(price) AS mean,
    MAX(CASE WHEN price > 100000 THEN price ELSE 0 END) AS highest
  FROM dear GROUP BY channel, auction HAVING COUNT(*) > 3
)
SELECT p.channel, p.auction, p.bids, p.total / p.bids AS each, p.mean, a.category, COALESCE(a.seller, 0) AS seller,
  ROW_NUMBER() OVER (PARTITION BY p.channel ORDER BY p.total DESC) AS place,
  UPPER(p.channel) || '-' || CAST(p.bids AS STRING) AS label, p.highest BETWEEN 10 AND 20 AS low,
  p.channel IN ('Google', 'Baidu', 'Apple', 'Facebook') AS known
FROM per_channel AS p LEFT JOIN auction AS a ON p.auction = a.id AND a.category > 5
WHERE p.total > 100 AND p.channel IS NOT NULL
  AND EXISTS (SELECT 1 FROM auction AS x WHERE x.id = p.auction AND x.seller <> 7)
ORDER BY p.total DESC NULLS LAST, p.channel, place LIMIT 100`;

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Milliseconds of CPU for each, over pieces that the clock can measure. */
function planning() {
  const each = 100;
  const pieces = [];
  for (let piece = 0; piece < 25; piece++) {
    const before = process.cpuUsage();
    for (let i = 0; i < each; i++) planOf(statement, tables);
    const { user, system } = process.cpuUsage(before);
    // The first pieces warm up.
    if (piece >= 5) pieces.push((user + system) / 1000 / each);
  }
  return median(pieces);
}

async function firstRow() {
  const server = await StoredServer.open();
  try {
    const columns = Object.entries(tables.bid).map(([name, type]) => `${name} ${type}`);
    await server.run(`CREATE STREAM bid (${columns.join(", ")});`);
    await server.append("bid", new Nexmark().ofKind("bid", 50_000));
    const times = [];
    for (let turn = 0; turn < 25; turn++) {
      const started = performance.now();
      await server.run("SELECT auction, price FROM bid WHERE price > 0 EMIT CHANGES FROM EARLIEST;", 1);
      if (turn >= 5) times.push(performance.now() - started);
    }
    return median(times);
  } finally {
    await server.close();
  }
}

const results = [
  { case: "parse and plan 1 KB, ms of CPU", milliseconds: Number(planning().toFixed(2)), targetMax: 2 },
  { case: "push query to first row, ms", milliseconds: Number((await firstRow()).toFixed(1)), targetMax: 50 },
];
if (process.argv.includes("--json")) console.log(JSON.stringify(results, null, 2));
else for (const one of results) console.log(`${one.case}: ${one.milliseconds} (at most ${one.targetMax})`);
