/**
 * The statement of the README under load: three producers, processes of their own, append to eight
 * streams at steady rates for a minute and count what was acknowledged; `hstream sql` is asked for the
 * five busiest. Fails when the order is wrong or a rate is off by 5 %. `--picture FILE` draws what was asked and
 * answered, as the README shows it.
 */
import { fork, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/ready.mjs";
import { serve } from "../scripts/serve.mjs";
import { textPicture } from "../scripts/text-picture.mjs";

const producers = 3;
const streamNames = ["logins", "refunds", "payments", "clicks", "reviews", "visits", "orders", "searches"];
const streams = Array.from({ length: 8 }, (_, i) => ({ name: streamNames[i], weight: 1 + ((i * 5) % 8) }));
const recordBytes = 1_000;
const stepMs = 50;
/** Records that a producer appends to a stream of weight 1 in each step. */
const recordsPerStep = Number(process.env.HSTREAM_BENCH_RECORDS_PER_STEP ?? 8);
const windowMs = 60_000;
const warmUpMs = 5_000;

if (process.send !== undefined) await produce(process.argv[2]);
else await main();

async function main() {
  const bin = join(root, "packages/cli/bin/hstream.mjs");
  const server = await serve(bin);
  const sql = (text, ...flags) => {
    const args = [bin, "sql", "--port", String(server.port), ...flags, "-e", text];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    return stdout;
  };
  const running = [];
  try {
    sql(streams.map(({ name }) => `CREATE STREAM ${name};`).join(" "));
    const counts = [];
    for (let i = 0; i < producers; i++) {
      const child = fork(process.argv[1], [String(server.port)]);
      child.on("message", (totals) => {
        counts[i] = totals;
      });
      running.push(child);
    }
    await sleep(warmUpMs);
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const statement = /^-- Find the top 5 streams[\s\S]*?LIMIT 0, 5;$/m.exec(readme)[0];
    const before = totalsOf(counts);
    const startedMs = performance.now();
    await sleep(windowMs);
    const after = totalsOf(counts);
    const seconds = (performance.now() - startedMs) / 1_000;
    const [, ...lines] = sql(statement, "-o", "csv").trim().split("\n");
    const table = sql(statement);

    const counted = streams.map(({ name }) => {
      return { name, rate: (after.get(name) - before.get(name)) / seconds };
    });
    const expected = counted.sort((a, b) => b.rate - a.rate).slice(0, lines.length);
    const rows = lines.map((line, i) => {
      const [name, told] = line.split(",");
      const { rate } = counted.find((one) => one.name === name);
      const deviation = Number(told) / rate - 1;
      return { name, expected: expected[i].name, told: Number(told), counted: rate, deviation };
    });
    for (const { name, told, counted: rate, deviation } of rows) {
      const percent = `${deviation < 0 ? "" : "+"}${(100 * deviation).toFixed(2)} %`;
      console.log(
        `${name}: ${megabytes(told)} told, ${megabytes(rate)} counted by the producers, ${percent}`,
      );
    }
    const inOrder = rows.length === 5 && rows.every(({ name, expected }) => name === expected);
    const worst = Math.max(...rows.map(({ deviation }) => Math.abs(deviation)));
    const total = counted.reduce((sum, { rate }) => sum + rate, 0);
    console.log(
      `the order is ${inOrder ? "right" : "WRONG"}; ${megabytes(total)} in all; over ${seconds.toFixed(1)} s`,
    );
    console.log(`largest deviation: ${(100 * worst).toFixed(2)} %, target ≤ 5 %`);
    if (!inOrder || worst > 0.05) process.exitCode = 1;
    const at = process.argv.indexOf("--picture");
    if (at > 0) {
      const shown = statement
        .split("\n")
        .map((line, index) => (index === 0 ? `> ${line}` : `  ${line}`))
        .join("\n");
      writeFileSync(process.argv[at + 1], textPicture("The busiest streams", `${shown}\n\n${table}`));
    }
  } finally {
    for (const child of running) child.kill();
    await server.stop();
  }
}

/** Bytes of the records that all producers know to be durable, by stream. */
function totalsOf(counts) {
  const sum = (name) => counts.reduce((total, of) => total + of[name], 0);
  return new Map(streams.map(({ name }) => [name, sum(name)]));
}

function megabytes(bytesPerSecond) {
  return `${(bytesPerSecond / 1e6).toFixed(3)} MB/s`;
}

/** One producer: tells its parent every 50 ms how much of each stream was acknowledged. */
async function produce(port) {
  const { HStreamClient } = await import("../packages/client/dist/index.js");
  const client = await HStreamClient.connect(`hstream://127.0.0.1:${port}`);
  const payload = Buffer.alloc(recordBytes, "x");
  const acknowledged = Object.fromEntries(streams.map(({ name }) => [name, 0]));
  const startedMs = performance.now();
  for (let step = 1; process.connected; step++) {
    const appends = streams.map(async ({ name, weight }) => {
      const records = Array.from({ length: weight * recordsPerStep }, () => payload);
      await client.append(name, records);
      acknowledged[name] += records.length * recordBytes;
    });
    await Promise.all(appends);
    process.send(acknowledged);
    await sleep(Math.max(0, startedMs + step * stepMs - performance.now()));
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
