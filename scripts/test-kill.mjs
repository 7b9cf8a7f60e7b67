/**
 * Kills a real server (SIGKILL) while clients append, consume and acknowledge, starts it again on the same
 * data, and checks the clients' histories:
 *
 * - every acknowledged record is stored, once for each attempt at the most, and none that was not sent;
 * - the acknowledged records of a producer that waits for each answer stand in their order;
 * - every stored record is delivered at least once by a subscription that 20 consumers share, of whom some
 *   go away before the server is killed;
 * - a view gives what a query over the stream gives.
 *
 *   --runs N   kills (15 unless said otherwise)      --seed N   of the moments at which it kills
 */
import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HStreamClient } from "@hstream/client";
import { ready, root } from "./ready.mjs";
import { serve } from "./serve.mjs";
import { printClosingLine } from "./tee.mjs";

ready();
const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const killCount = option("runs", 15);
const seed = option("seed", Math.floor(Math.random() * 2 ** 31));
const random = mulberry32(seed);
const bin = join(root, "packages/cli/bin/hstream.mjs");
const producers = 4;
const consumers = 20;

/** What the outside knows, per producer: numbers that were sent, and those that were acknowledged. */
const histories = Array.from({ length: producers }, () => ({ next: 0, sent: new Map(), acked: new Set() }));
const delivered = new Set();
let failures = 0;
let passed = 0;
console.log(`seed ${seed}`);

const server = await serve(bin);
try {
  for (let kill = 0; kill <= killCount; kill++) {
    const client = await HStreamClient.connect(`hstream://127.0.0.1:${server.port}`);
    if (kill === 0) {
      await client.streams.create("s", { shardCount: 2 });
      await client.subscriptions.create("sub", { stream: "s", offset: "earliest", ackTimeoutSeconds: 1 });
      await rows(
        client,
        "CREATE VIEW v AS SELECT producer, COUNT(*) AS n, MAX(number) AS last FROM s GROUP BY producer;",
      );
    }
    await check(client, kill);
    if (kill === killCount) {
      await drain(client);
      await client.close();
      break;
    }
    const stop = new AbortController();
    setMaxListeners(producers + consumers, stop.signal);
    const work = [
      ...histories.map((_, producer) => produce(client, producer, stop.signal)),
      ...Array.from({ length: consumers }, (_, i) => consume(client, i, stop.signal)),
    ];
    // At any moment of the work, but not before there is some, however slow the machine is.
    await untilAcked(1 + Math.floor(random() * 300));
    await sleep(random() * 30);
    await server.kill();
    stop.abort();
    await Promise.all(work);
    await client.close();
    await server.restart();
  }
} finally {
  await server.stop();
}
console.log(
  `${histories.reduce((sum, { acked }) => sum + acked.size, 0)} records acknowledged over ${killCount} kills`,
);
printClosingLine({ passed, failed: failures });
process.exit(failures === 0 ? 0 : 1);

/** Resolves once so many records more are acknowledged, or the time for it is over. */
async function untilAcked(count) {
  const all = () => histories.reduce((sum, { acked }) => sum + acked.size, 0);
  const target = all() + count;
  for (const deadline = performance.now() + 5_000; all() < target && performance.now() < deadline; )
    await sleep(5);
}

/** One record at a time, so that the order of the acknowledged ones is known. */
async function produce(client, producer, signal) {
  const history = histories[producer];
  while (!signal.aborted) {
    const number = history.next++;
    history.sent.set(number, (history.sent.get(number) ?? 0) + 1);
    try {
      await client.append("s", [{ producer, number }], { key: `p${producer}`, signal });
      history.acked.add(number);
    } catch {
      // The answer was lost with the server: the record may be stored or not.
      return;
    }
  }
}

/** Every fifth one leaves in the middle, without acknowledging what it got last. */
async function consume(client, i, signal) {
  let left = i % 5 === 0 ? 1 + Math.floor(random() * 20) : Number.POSITIVE_INFINITY;
  try {
    for await (const record of client.consume("sub", { consumerName: `c${i}`, signal })) {
      if (--left === 0) return;
      delivered.add(`${record.json.producer}/${record.json.number}`);
      record.ack();
    }
  } catch {
    // Killed.
  }
}

/** Takes what is left until every stored record has been delivered. */
async function drain(client) {
  const stored = await rows(client, "SELECT producer, number FROM s;");
  const missing = new Set(stored.map(({ producer, number }) => `${producer}/${number}`));
  for (const name of delivered) missing.delete(name);
  const stop = AbortSignal.timeout(30_000);
  try {
    for await (const record of client.consume("sub", { consumerName: "last", signal: stop })) {
      missing.delete(`${record.json.producer}/${record.json.number}`);
      record.ack();
      if (missing.size === 0) break;
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
  expect(missing.size === 0, `${missing.size} stored records were never delivered`);
}

async function check(client, kill) {
  const stored = await rows(client, "SELECT producer, number FROM s;");
  for (const [producer, { sent, acked }] of histories.entries()) {
    const numbers = stored.filter((row) => row.producer === producer).map((row) => row.number);
    const counts = new Map();
    for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
    const lost = [...acked].filter((number) => !counts.has(number));
    expect(lost.length === 0, `after kill ${kill}: producer ${producer} lost ${lost.slice(0, 5)} …`);
    const ghosts = [...counts.keys()].filter((number) => !sent.has(number));
    expect(ghosts.length === 0, `after kill ${kill}: ${ghosts.slice(0, 5)} … were never sent`);
    const doubled = [...counts].filter(([number, count]) => count > sent.get(number));
    expect(
      doubled.length === 0,
      `after kill ${kill}: ${doubled.slice(0, 5)} … are stored more often than sent`,
    );
    const ordered = numbers.every((number, i) => i === 0 || number >= numbers[i - 1]);
    expect(ordered, `after kill ${kill}: the records of producer ${producer} are out of order`);
  }
  const direct = await rows(
    client,
    "SELECT producer, COUNT(*) AS n, MAX(number) AS last FROM s GROUP BY producer ORDER BY producer;",
  );
  const view = await rows(client, "SELECT * FROM v ORDER BY producer;");
  expect(
    JSON.stringify(view) === JSON.stringify(direct),
    `after kill ${kill}: the view differs from the stream`,
  );
}

async function rows(client, sql) {
  const all = [];
  for await (const statement of client.sql(sql)) for await (const row of statement) all.push(row);
  return all;
}

function expect(ok, problem) {
  if (ok) passed++;
  else {
    failures++;
    console.log(`FAILED (seed ${seed}) ${problem}`);
  }
}

/** A small generator of random numbers with a seed, 0 ≤ x < 1. */
function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
