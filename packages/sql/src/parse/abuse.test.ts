import assert from "node:assert/strict";
import { bindStatement } from "../bind/bind-statement.js";
import { optimise } from "../optimize/optimise.js";
import { toPhysical } from "../physical/to-physical.js";
import { testCatalog } from "../testing/catalog.js";
import { parseScript } from "./parse-script.js";

const many = (count: number, text: string, separator = ""): string =>
  Array.from({ length: count }, () => text).join(separator);

/** Texts of some 50 KB, made to be slow or deep, and whether they are right. */
const abuses: readonly (readonly [string, string, boolean])[] = [
  ["open parentheses", `SELECT ${many(50_000, "(")}`, false],
  ["a long OR", `SELECT ${many(8_000, "a = 1", " OR ")} FROM flights`, true],
  ["a long IN", `SELECT a IN (${many(20_000, "1", ",")}) FROM flights`, true],
  ["many columns", `SELECT ${Array.from({ length: 5_000 }, (_, i) => `c${i}`).join(",")} FROM flights`, true],
  [
    "many grouped items",
    `SELECT ${Array.from({ length: 2_000 }, (_, i) => `a + ${i}`).join(",")} FROM flights GROUP BY a`,
    true,
  ],
  ["many rows", `INSERT INTO flights (a) VALUES ${many(8_000, "(1)", ",")}`, true],
  ["quotes", `SELECT ${many(50_001, "'")}`, false],
  ["comment starts", many(25_000, "/*"), false],
  ["stars in a comment", `/*${many(50_000, "*")}`, false],
  ["a long number", `SELECT ${many(50_000, "9")}`, false],
  ["points", `SELECT ${many(25_000, "1.")}`, false],
  ["deep JSON", `INSERT INTO flights VALUES '${many(10_000, '{"a":')}'`, false],
  ["a LIKE that backtracks", `SELECT '${many(40_000, "a")}' LIKE '${many(4_000, "%a")}b'`, true],
  ["a long interval", `SELECT '${many(8_000, "1 day ")}'::INTERVAL`, true],
];

describe("abusive texts", () => {
  for (const [name, text, right] of abuses) {
    it(`${name}: answered without a throw`, () => {
      const { statements, diagnostics } = parseScript(text);
      const results = statements.map((statement) => bindStatement(statement, testCatalog));
      const errors = [...diagnostics, ...results.flatMap((result) => result.diagnostics)];
      assert.equal(errors.length === 0, right, errors[0]?.message);
      for (const { bound } of results) {
        if (bound?.kind === "query") assert(toPhysical(optimise(bound.query)).output.length > 0);
      }
    });
  }
});
