/**
 * Plants bugs in a copy of the compiled log and metadata, one at a time, and runs their tests: every bug
 * must be caught.
 *
 *   node scripts/test-mutations.mjs [WORDS]     only those bugs whose names contain the words
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mutations } from "./mutations.mjs";
import { ready, root } from "./ready.mjs";
import { printClosingLine } from "./tee.mjs";

ready();
const words = process.argv.slice(2).join(" ");
const server = join(root, "packages/server");
const copy = join(root, ".build/mutant");
let passed = 0;
let failed = 0;
rmSync(copy, { recursive: true, force: true });
mkdirSync(copy, { recursive: true });
// Tests of the formats look for the golden files beside the sources.
for (const part of ["package.json", "dist", "src/log/golden", "src/meta/golden"]) {
  cpSync(join(server, part), join(copy, part), { recursive: true });
}
try {
  for (const mutation of mutations.filter(({ name }) => name.includes(words))) {
    const { caughtBy, problem } = test(mutation);
    if (problem === undefined) passed++;
    else failed++;
    const { name } = mutation;
    console.log(
      problem === undefined ? `caught    ${name}\n          by: ${caughtBy}` : `${problem}  ${name}`,
    );
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
printClosingLine({ passed, failed });
process.exitCode = failed === 0 ? 0 : 1;

function test({ file, find, by }) {
  const path = join(copy, "dist", `${file}.js`);
  const source = readFileSync(path, "utf8");
  const parts = find.split(/\s+/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const places = [...source.matchAll(new RegExp(parts.join("\\s*"), "g"))];
  const [place] = places;
  if (places.length !== 1) return { problem: `NOT PLANTED (there are ${places.length} places for it)` };
  writeFileSync(path, source.slice(0, place.index) + by + source.slice(place.index + place[0].length));
  try {
    return runTests();
  } finally {
    writeFileSync(path, source);
  }
}

function runTests() {
  const mocha = [
    join(root, "node_modules/mocha/bin/mocha.js"),
    "--no-config",
    "--bail",
    "--timeout=20000",
    "--reporter=json",
    `--require=${join(root, "scripts/property-settings.mjs")}`,
    // What a bug has left waiting must not keep the process from ending.
    "--exit",
    ...testFiles(),
  ];
  const { stdout, stderr, signal } = spawnSync(process.execPath, mocha, {
    cwd: root,
    env: { ...process.env, HSTREAM_TEST_SECONDS: undefined, HSTREAM_TEST_SEED: "1" },
    encoding: "utf8",
    timeout: 180_000,
    maxBuffer: 64 << 20,
  });
  if (signal !== null) return { caughtBy: "not coming to an end" };
  const begin = stdout.indexOf('{\n  "stats"');
  if (begin < 0) return { caughtBy: `the end of the process (${lastLine(stderr)})` };
  const { stats, failures } = JSON.parse(stdout.slice(begin));
  const [first] = failures;
  if (first !== undefined) return { caughtBy: first.fullTitle };
  return { problem: stats.tests < 100 ? `NOT TESTED (${lastLine(stderr)})` : "SURVIVED" };
}

/** Those that take long come last: most bugs are found before. */
function testFiles() {
  const files = ["log", "env", "meta"].flatMap((room) =>
    readdirSync(join(copy, "dist", room))
      .filter((name) => name.endsWith(".test.js"))
      .map((name) => join(copy, "dist", room, name)),
  );
  const isSlow = (file) => /(back-pressure|crash|every-call|kill|many-shards|meta)\.test\.js$/.test(file);
  return [...files.filter((file) => !isSlow(file)), ...files.filter(isSlow)];
}

function lastLine(text) {
  return text.trim().split("\n").at(-1);
}
