import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { loadInflateForTests } from "../executor/run.test.helper.js";
import { SqlFileRunner } from "./run-sql-file.test.helper.js";
import { type Case, parseSqlFile } from "./sql-file.test.helper.js";

/**
 * The pages of docs/sql. A fence ```sql KIND is a block of an SQL file (sql-file.test.helper.ts), ```json feed NAME is
 * what a relation is fed; a fence ```text behind it is what it gives. `--complete` writes what is left out.
 */
const folder = new URL("../../../../docs/sql/", import.meta.url);
const completes = process.argv.includes("--complete");
const fence = /```(sql|json) ?([^\n]*)\n([^]*?)\n```(?:\n```text\n([^]*?)\n```)?/g;

interface Example {
  readonly whole: string;
  readonly head: string;
  readonly body: string;
  readonly expected: string | undefined;
}

describe("the manual of SQL", () => {
  before(loadInflateForTests);

  for (const page of readdirSync(folder).filter((name) => name.endsWith(".md"))) {
    const file = new URL(page, folder);
    const text = readFileSync(file, "utf8");
    const examples = [...text.matchAll(fence)].map(
      ([whole, , head = "", body = "", expected]): Example => ({ whole, head, body, expected }),
    );
    if (examples.length === 0) continue;
    describe(page, () => {
      const runner = new SqlFileRunner([
        { sizes: [1], stepRowsMax: 8192 },
        { sizes: [1_000_000], stepRowsMax: 8192 },
      ]);
      const given = new Map<string, string>();
      for (const { whole, head, body, expected } of examples) {
        it(`${head}: ${body.replaceAll(/\s+/g, " ").slice(0, 120)}`, () => {
          const [block] = parseSqlFile(`${head}\n${body}`);
          assert(block !== undefined, "an example says what it is");
          if (!("line" in block)) {
            runner.prepare(block);
            return;
          }
          const result = runner.run(block satisfies Case);
          given.set(whole, result);
          if (!completes || expected !== undefined) assert.equal(result, expected);
        });
      }
      after(() => {
        if (!completes) return;
        let filled = text;
        for (const { whole, expected } of examples) {
          const result = given.get(whole);
          if (expected !== undefined || result === undefined) continue;
          filled = filled.replace(whole, () => `${whole}\n\`\`\`text\n${result}\n\`\`\``);
        }
        writeFileSync(file, filled);
      });
    });
  }
});
