import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { classifyTokens } from "./highlight.js";
import { contextualWords, reservedWords } from "./keywords.js";
import { splitStatements } from "./split.js";

const texts = fc
  .array(
    fc.constantFrom(
      "SELECT",
      " ",
      "\n",
      "'",
      '"',
      "`",
      ";",
      "\\G",
      "--",
      "//",
      "/*",
      "*/",
      "a",
      "1",
      "💥",
      "x''y",
    ),
    {
      maxLength: 20,
    },
  )
  .map((pieces) => pieces.join(""));

describe("splitting into statements", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["SELECT 1; SELECT 2", ["SELECT 1|;", "SELECT 2|"]],
    ["SELECT ';' ; ;; SELECT \";\", `;`;", ["SELECT ';'|;", 'SELECT ";", `;`|;']],
    ["SELECT 1 -- no; end\n+ 1; -- ;\n", ["SELECT 1 -- no; end\n+ 1|;"]],
    ["SELECT /* ; */ 1 // ;\n;", ["SELECT /* ; */ 1|;"]],
    ["SHOW STREAMS \\G SHOW VIEWS\\gx", ["SHOW STREAMS|G", "SHOW VIEWS|G"]],
    ["SELECT 'it''s;", ["SELECT 'it''s;|"]],
    ["SELECT 1 /* ;", ["SELECT 1 /* ;|"]],
    ["  \n -- nothing\n", []],
  ];
  for (const [text, expected] of cases) {
    it(JSON.stringify(text), () => {
      const shown = splitStatements(text).map(
        (one) => `${one.text}|${one.verticalOutput ? "G" : one.terminated ? ";" : ""}`,
      );
      assert.deepEqual(shown, expected);
    });
  }

  it("loses nothing but ends, blanks and comments between statements", () => {
    fc.assert(
      fc.property(texts, (text) => {
        let at = 0;
        for (const { span, text: part } of splitStatements(text)) {
          assert(span.start >= at && text.slice(span.start, span.end) === part);
          at = span.end;
        }
      }),
      { numRuns: runs(1_000) },
    );
  });
});

describe("highlighting", () => {
  it("tells what each piece is", () => {
    const text = "SELECT sum(a), time FROM s WHERE b >= 1.5 AND c = 'x' -- done";
    const classes = classifyTokens(text).map(
      ({ class: kind, span }) => `${text.slice(span.start, span.end)}:${kind}`,
    );
    assert.deepEqual(classes, [
      "SELECT:keyword",
      "sum:function",
      "(:punctuation",
      "a:name",
      "):punctuation",
      ",:punctuation",
      "time:keyword",
      "FROM:keyword",
      "s:name",
      "WHERE:keyword",
      "b:name",
      ">=:operator",
      "1.5:number",
      "AND:keyword",
      "c:name",
      "=:operator",
      "'x':text",
      "-- done:comment",
    ]);
  });

  it("covers any text in order and without overlap", () => {
    fc.assert(
      fc.property(texts, (text) => {
        let at = 0;
        for (const { span } of classifyTokens(text)) {
          assert.equal(text.slice(at, span.start).trim(), "");
          at = span.end;
        }
        assert.equal(text.slice(at).trim(), "");
      }),
      { numRuns: runs(1_000) },
    );
  });
});

describe("keywords", () => {
  it("reserve at most 45 words", () => {
    assert(reservedWords.length <= 45);
    assert.equal(
      new Set([...reservedWords, ...contextualWords]).size,
      reservedWords.length + contextualWords.length,
    );
  });
});
