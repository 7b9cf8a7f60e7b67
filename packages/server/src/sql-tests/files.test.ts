import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { loadInflateForTests } from "../executor/run.test.helper.js";
import { type Cut, SqlFileRunner } from "./run-sql-file.test.helper.js";
import { parseSqlFile, printSqlFile } from "./sql-file.test.helper.js";

/** The SQL files of `files/`. `npm test -- --complete` writes what each case gives where nothing is expected. */
const folder = new URL("../../src/sql-tests/files/", import.meta.url);
const completes = process.argv.includes("--complete");

const random = fc.sample(
  fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
    stepRowsMax: fc.integer({ min: 2, max: 20 }),
    reopens: fc.boolean(),
  }),
  3,
);
const cuts: readonly Cut[] = [
  { sizes: [1], stepRowsMax: 8192 },
  { sizes: [1_000_000], stepRowsMax: 8192 },
  // Saved and loaded after each record.
  { sizes: [1], stepRowsMax: 8192, reopens: true },
  ...random,
];

describe("SQL files", () => {
  before(loadInflateForTests);

  for (const name of readdirSync(folder).filter((one) => one.endsWith(".txt"))) {
    describe(name, () => {
      const file = new URL(name, folder);
      const blocks = parseSqlFile(readFileSync(file, "utf8"));
      const runner = new SqlFileRunner(cuts);
      const given = new Map<number, string>();
      for (const block of blocks) {
        if (!("line" in block)) {
          it(block.kind === "comment" ? block.text : block.kind, () => runner.prepare(block));
          continue;
        }
        it(`${block.line}: ${block.sql.replaceAll(/\s+/g, " ")}`, () => {
          const result = runner.run(block);
          given.set(block.line, result);
          if (!completes) assert.equal(result, block.expected);
          else if (block.expected !== undefined) assert.equal(result, block.expected);
        });
      }
      after(() => {
        if (!completes) return;
        const filled = blocks.map((block) =>
          "line" in block ? { ...block, expected: block.expected ?? given.get(block.line) } : block,
        );
        writeFileSync(file, printSqlFile(filled));
      });
    });
  }
});
