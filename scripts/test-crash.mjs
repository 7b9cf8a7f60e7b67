/**
 * Random histories of the log on a simulated disk, with crashes, failed syncs and full disks, checked after
 * every restart. The histories have the seeds S, S + 1, …; one that fails is printed with its seed, and
 * `node scripts/test-crash.mjs --seed THAT --runs 1` plays it again.
 *
 *   --runs N   histories (2,000 unless said otherwise)      --seed S   of the first
 */
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { ready } from "./ready.mjs";
import { printClosingLine } from "./tee.mjs";

if (isMainThread) await main();
else await play();

async function main() {
  ready();
  const option = (name, fallback) => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? fallback : Number(process.argv[at + 1]);
  };
  const runs = option("runs", 2_000);
  const seed = option("seed", Math.floor(Math.random() * 2 ** 31));
  if (!Number.isSafeInteger(seed) || !(runs > 0)) {
    console.error("--seed takes a whole number, --runs a positive one");
    process.exit(2);
  }
  console.log(`seed ${seed}, ${runs} histories`);
  const failures = [];
  const threads = Math.min(runs, availableParallelism());
  await Promise.all(
    Array.from({ length: threads }, (_, first) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { seed, runs, first, threads } });
      worker.on("message", (failure) => failures.push(failure));
      return new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));
    }),
  );
  for (const { seed: failed, message } of failures) {
    console.log(
      `\nFAILED with seed ${failed}; again with: node scripts/test-crash.mjs --seed ${failed} --runs 1`,
    );
    console.log(message);
  }
  printClosingLine({ passed: runs - failures.length, failed: failures.length });
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** Every `threads`-th history. */
async function play() {
  const { runHistory } = await import("../packages/server/dist/log/crash-history.js");
  const { seed, runs, first, threads } = workerData;
  for (let i = first; i < runs; i += threads) {
    try {
      await runHistory(seed + i);
    } catch (error) {
      parentPort.postMessage({ seed: seed + i, message: error?.stack ?? String(error) });
    }
  }
}
