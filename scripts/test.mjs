/**
 * `npm test`, from a fresh clone: installs, builds, runs every test and ends with `N passed, N failed`.
 *
 *   --long           every property runs for --seconds (default 60) instead of a number of times; then a
 *                    server is killed 200 times, and bugs are planted to see that the tests catch them
 *                    (test-kill.mjs, test-mutations.mjs). The result is written into docs/test-long.md
 *   --seconds N      every property runs for N seconds
 *   --seed N         the seed of all random tests, printed at the start: the same seed, the same run. Unless
 *                    said otherwise it comes from the revision, so that a revision that has passed does
 *                    not fail by chance, and each new one tries something else
 *   anything else    goes to mocha (files, --grep …)
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ready, root } from "./ready.mjs";
import { closingLine, printClosingLine, runNode } from "./tee.mjs";

const forMocha = [];
let seconds;
let long = false;
let seed = seedOfRevision() ?? randomInt(2 ** 31);
const args = process.argv.slice(2);
while (args.length > 0) {
  const arg = args.shift();
  if (arg === "--long") long = true;
  else if (arg === "--seconds") seconds = Number(args.shift());
  else if (arg === "--seed") seed = Number(args.shift());
  else forMocha.push(arg);
}
if (long) seconds ??= 60;
if (!Number.isInteger(seed) || (seconds !== undefined && !(seconds > 0))) {
  console.error("--seed takes a whole number, --seconds a positive one");
  process.exit(2);
}

ready();
console.log(`seed ${seed}${seconds === undefined ? "" : `, ${seconds} s a property`}`);
const started = Date.now();
const mocha = [
  join(root, "node_modules/mocha/bin/mocha.js"),
  "--reporter",
  join(root, "scripts/reporter.cjs"),
];
const { ok, output } = await runNode([...mocha, ...forMocha], {
  ...process.env,
  HSTREAM_TEST_SEED: String(seed),
  ...(seconds === undefined ? {} : { HSTREAM_TEST_SECONDS: String(seconds) }),
  ...(long ? { HSTREAM_TEST_LONG: "1" } : {}),
});
const counts = closingLine(output);
let allOk = ok;
if (long) {
  for (const script of [["scripts/test-kill.mjs", "--runs", "200"], ["scripts/test-mutations.mjs"]]) {
    console.log(`\n== ${script.join(" ")}`);
    const step = await runNode(script);
    const { passed, failed } = closingLine(step.output) ?? { passed: 0, failed: 1 };
    if (counts !== undefined) {
      counts.passed += passed;
      counts.failed += failed;
    }
    allOk &&= step.ok;
  }
  record(counts);
  if (counts !== undefined) printClosingLine(counts);
}
process.exitCode = allOk ? 0 : 1;

function seedOfRevision() {
  const { status, stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" });
  return status === 0 ? Number.parseInt(stdout.slice(0, 7), 16) : undefined;
}

/** One more row in the table of long runs, the newest first. */
function record(counts) {
  const outcome = counts === undefined ? "did not end" : `${counts.passed} passed, ${counts.failed} failed`;
  const file = join(root, "docs/test-long.md");
  const head = [
    "# Long runs of the tests",
    "",
    "`npm run test:long` runs every property for a minute (`--seconds`), kills a server 200 times, plants bugs",
    "to see that the tests catch them, and adds a row here.",
    "",
    "| date | revision | seconds a property | seed | minutes | result |",
    "|---|---|---|---|---|---|",
  ];
  const rows = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").slice(head.length) : [];
  const revision = spawnSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: root,
    encoding: "utf8",
  }).stdout.trim();
  const minutes = ((Date.now() - started) / 60_000).toFixed(0);
  const date = new Date(started).toISOString().slice(0, 10);
  const row = `| ${date} | ${revision} | ${seconds} | ${seed} | ${minutes} | ${outcome} |`;
  writeFileSync(file, `${[...head, row, ...rows].join("\n")}\n`);
}
