/**
 * `npm test`, from a fresh clone: installs, builds, runs every test and ends with `N passed, N failed`.
 *
 *   --long           every property runs for --seconds (default 60) instead of a number of times
 *   --seconds N      as --long, for N seconds a property
 *   --seed N         the seed of all random tests (printed at the start; the same seed, the same run)
 *   anything else    goes to mocha (files, --grep …)
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { ready, root } from "./ready.mjs";

const forMocha = [];
let seconds;
let seed = randomInt(2 ** 31);
const args = process.argv.slice(2);
while (args.length > 0) {
  const arg = args.shift();
  if (arg === "--long") seconds ??= 60;
  else if (arg === "--seconds") seconds = Number(args.shift());
  else if (arg === "--seed") seed = Number(args.shift());
  else forMocha.push(arg);
}
if (!Number.isInteger(seed) || (seconds !== undefined && !(seconds > 0))) {
  console.error("--seed takes a whole number, --seconds a positive one");
  process.exit(2);
}

ready();
console.log(`seed ${seed}${seconds === undefined ? "" : `, ${seconds} s a property`}`);
const result = spawnSync(
  process.execPath,
  [
    join(root, "node_modules/mocha/bin/mocha.js"),
    "--reporter",
    join(root, "scripts/reporter.cjs"),
    ...forMocha,
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      HSTREAM_TEST_SEED: String(seed),
      ...(seconds === undefined ? {} : { HSTREAM_TEST_SECONDS: String(seconds) }),
    },
  },
);
process.exit(result.status ?? 1);
