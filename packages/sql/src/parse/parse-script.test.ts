import assert from "node:assert/strict";
import fc from "fast-check";
import { runsUpTo } from "@hstream/proto/testing";
import type { ExpressionNode, SelectNode, StatementNode } from "../ast/ast.js";
import { parseDepthMax, parseTextCharsMax } from "../limits.js";
import { printExpression } from "../print/print-expression.js";
import { bindStatement } from "../bind/bind-statement.js";
import type { Diagnostic } from "../diagnostic.js";
import { renderDiagnostic } from "../diagnostics/render.js";
import { optimise } from "../optimize/optimise.js";
import { toPhysical } from "../physical/to-physical.js";
import { testCatalog } from "../testing/catalog.js";
import { sampleStatements } from "../testing/sample-statements.js";
import { ExpectedTokens } from "./explain-error.js";
import { Grammar } from "./grammar.js";
import { parseScript } from "./parse-script.js";

/** One fuzzed statement of about 1 KB, all the way to its plan. */
const fuzzedMsMax = 10;

function parsed(text: string): StatementNode {
  const { statements, diagnostics } = parseScript(text);
  assert.deepEqual(diagnostics, [], text);
  const [statement] = statements;
  assert(statement !== undefined && statements.length === 1, text);
  return statement;
}

function expressionOf(text: string): ExpressionNode {
  const statement = parsed(`SELECT ${text}`);
  assert(statement.kind === "query");
  const [item] = selectOf(statement).items;
  assert(item?.kind === "expression");
  return item.expression;
}

function selectOf(statement: StatementNode): SelectNode {
  assert(statement.kind === "query" && statement.query.body.kind === "select");
  return statement.query.body;
}

/** With every operator in parentheses, so that precedence shows. */
function shape(node: ExpressionNode): string {
  switch (node.kind) {
    case "binary":
      return `(${shape(node.left)} ${node.operator} ${shape(node.right)})`;
    case "logical":
      return `(${node.operands.map(shape).join(` ${node.operator} `)})`;
    case "unary":
      return `(${node.operator} ${shape(node.operand)})`;
    case "between":
      return `(${shape(node.operand)} BETWEEN ${shape(node.low)} AND ${shape(node.high)})`;
    case "is":
      return `(${shape(node.operand)} IS ${node.test})`;
    default:
      return printExpression(node);
  }
}

describe("parser", () => {
  it("has a grammar that Chevrotain finds nothing wrong with", () => {
    new Grammar(new ExpectedTokens(), true);
  });

  for (const text of sampleStatements) it(`takes ${text.slice(0, 80)}`, () => void parsed(text));

  const shapes: readonly (readonly [string, string])[] = [
    ["a + b * c - d", "((a + (b * c)) - d)"],
    ["NOT a = 1 AND b OR c", "(((NOT (a = 1)) AND b) OR c)"],
    ["a AND b AND c", "(a AND b AND c)"],
    ["x BETWEEN 1 AND 2 + 3 AND y", "((x BETWEEN 1 AND (2 + 3)) AND y)"],
    ["a ->> 'x' = 'y'", "((a ->> 'x') = 'y')"],
    ["c ->> 'a' :: INTEGER", "(c ->> 'a'::INTEGER)"],
    ["-1.5 :: INTEGER", "-1.5::INTEGER"],
    ["-a * -2", "((- a) * -2)"],
    ["a-1", "(a - 1)"],
    ["a || b = c IS NULL", "(((a || b) = c) IS NULL)"],
    ["NOT NOT a", "(NOT (NOT a))"],
    ["a = b = c", "((a = b) = c)"],
    ["ABS(a) + 1", "(ABS(a) + 1)"],
    ["f ( a )[0]::TEXT", "F(a)[0]::TEXT"],
    ["a != b && c", "((a <> b) AND c)"],
  ];
  for (const [text, expected] of shapes) {
    it(`reads ${text} as ${expected}`, () => assert.equal(shape(expressionOf(text)), expected));
  }

  it("prints expressions that read back as the same", () => {
    for (const [text] of shapes) {
      const printed = printExpression(expressionOf(text));
      assert.equal(printExpression(expressionOf(printed)), printed);
      assert.equal(shape(expressionOf(printed)), shape(expressionOf(text)));
    }
  });

  it("takes words of types, units, functions and statements as names", () => {
    const words =
      "time day date interval count streams query view end start show format text key first timestamp array";
    for (const word of words.split(" ")) {
      const node = expressionOf(`${word} FROM s`);
      assert(node.kind === "name" && node.parts[0]?.text === word, word);
      assert.equal(parsed(`SELECT a AS ${word} FROM ${word} ${word}`).kind, "query");
      assert.equal(parsed(`CREATE STREAM s (${word} INTEGER)`).kind, "create-stream");
    }
  });

  it("reads a-b as one name only where a relation stands", () => {
    const statement = parsed("SELECT a-b FROM my-stream-1 WHERE x -1 > 0");
    assert(statement.kind === "query");
    const { from } = selectOf(statement);
    assert(from?.kind === "relation");
    assert.equal(from.name.text, "my-stream-1");
    assert.equal(expressionOf("a-b").kind, "binary");
  });

  it("gives every node the place it stands at", () => {
    const text = "SELECT\n  a + bb\nFROM s";
    const statement = parsed(text);
    assert(statement.kind === "query");
    const [item] = selectOf(statement).items;
    assert(item !== undefined);
    assert.equal(text.slice(item.span.start, item.span.end), "a + bb");
    assert.deepEqual([item.span.line, item.span.column], [2, 3]);
  });

  it("goes on after a statement with an error", () => {
    const { statements, diagnostics } = parseScript("SELEC 1; SELECT 2; DROP x; SHOW VIEWS");
    assert.deepEqual(
      statements.map((one) => one.kind),
      ["query", "show"],
    );
    assert.deepEqual(
      diagnostics.map((one) => one.span.start),
      [0, 24],
    );
  });

  it("bounds depth but not the length of AND and OR", () => {
    const nested = (depth: number): string => `SELECT ${"(".repeat(depth)}1${")".repeat(depth)}`;
    assert.equal(parseScript(nested(parseDepthMax - 2)).diagnostics.length, 0);
    const deep = [
      nested(parseDepthMax + 1),
      nested(50_000),
      `SELECT ${"NOT ".repeat(20_000)}1`,
      `SELECT ${"CASE ".repeat(9_000)}`,
      `SELECT ${"[".repeat(9_000)}`,
      `SELECT ${"EXPLAIN ".repeat(9_000)}`,
      "EXPLAIN ".repeat(9_000),
      `SELECT a${"::INT".repeat(9_000)}`,
      `SELECT ${"f(".repeat(9_000)}`,
    ];
    for (const text of deep) assert.equal(parseScript(text).diagnostics.length, 1, text.slice(0, 30));
    const long = `SELECT ${Array.from({ length: 5_000 }, (_, i) => `a = ${i}`).join(" OR ")} FROM flights`;
    const [statement] = parseScript(long).statements;
    assert(statement !== undefined && bindStatement(statement, testCatalog).bound !== undefined);
    const sum = (length: number): string =>
      `SELECT ${Array.from({ length }, () => "a").join(" + ")} FROM flights`;
    const [chain] = parseScript(sum(500)).statements;
    assert(chain !== undefined && bindStatement(chain, testCatalog).bound !== undefined);
    assert.match(
      parseScript(`SELECT a${" IS NULL".repeat(5_000)}`).diagnostics[0]?.message ?? "",
      /500 operators/,
    );
    assert.match(parseScript(sum(5_000)).diagnostics[0]?.message ?? "", /500 operators/);
  });

  it("bounds the depth of chains inside parentheses", () => {
    const chain = " + a".repeat(400);
    const text = Array.from({ length: 90 }).reduce<string>((inner) => `(${inner}${chain})`, "a");
    assert.match(parseScript(`SELECT ${text}`).diagnostics[0]?.message ?? "", /700 operators deep/);
  });

  it("refuses a text that is too long", () => {
    assert.equal(parseScript(" ".repeat(parseTextCharsMax + 1)).diagnostics.length, 1);
  });
});

describe("parser and binder on mutated statements", () => {
  it("never throw, and word every finding in two lines with its place", () => {
    const pieces = [
      "(",
      ")",
      "'",
      '"',
      "`",
      ";",
      ",",
      "--",
      "/*",
      "\\G",
      "NULL",
      "SELECT",
      "::",
      "[",
      "1e999",
      "💥",
      "\0",
      "FROM",
      "999999999999999999999",
    ];
    const mutated = fc
      .tuple(
        fc.constantFrom(...sampleStatements),
        fc.array(fc.tuple(fc.nat(), fc.nat(12), fc.constantFrom("", ...pieces)), {
          minLength: 1,
          maxLength: 4,
        }),
      )
      .map(([text, edits]) =>
        edits.reduce((now, [at, length, put]) => {
          const from = at % (now.length + 1);
          return now.slice(0, from) + put + now.slice(from + (put === "" ? length : 0));
        }, text),
      );
    const run = (text: string): readonly Diagnostic[] => {
      const { statements, diagnostics } = parseScript(text);
      const found = [...diagnostics];
      for (const statement of statements) {
        const { bound, diagnostics: more } = bindStatement(statement, testCatalog);
        found.push(...more);
        if (bound?.kind === "query") toPhysical(optimise(bound.query));
      }
      return found;
    };
    const elapsedMs = (text: string): number => {
      const start = process.hrtime.bigint();
      run(text);
      return Number(process.hrtime.bigint() - start) / 1e6;
    };
    fc.assert(
      fc.property(mutated, (text) => {
        const start = process.hrtime.bigint();
        const found = run(text);
        // The machine may have had something else to do: only what is slow again is slow.
        let leastMs = Number(process.hrtime.bigint() - start) / 1e6;
        for (let i = 0; i < 5 && leastMs > fuzzedMsMax; i++) leastMs = Math.min(leastMs, elapsedMs(text));
        assert(leastMs <= fuzzedMsMax, `${leastMs} ms`);
        for (const diagnostic of found) {
          const { message, hint = "", span } = diagnostic;
          assert(message.length > 0 && message.split("\n").length <= 2 && !hint.includes("\n"), message);
          assert(span.start >= 0 && span.start <= span.end && span.end <= text.length, JSON.stringify(span));
          assert(renderDiagnostic(text, diagnostic).split("\n").length <= 5);
        }
      }),
      runsUpTo(20_000, 1_000_000),
    );
  }).timeout(30_000);
});
