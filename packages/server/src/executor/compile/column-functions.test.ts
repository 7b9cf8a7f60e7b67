import assert from "node:assert/strict";
import { runs } from "@hstream/proto/testing";
import {
  arrayOf,
  BOOLEAN,
  DYNAMIC,
  type Expression,
  INTEGER,
  NULL_TYPE,
  type SqlValue,
  STRING,
  TIMESTAMP,
} from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { assertAsEvaluated, callOf, columnOf, literalOf } from "./compared.test.helper.js";

const given = fc.string({ unit: fc.constantFrom(..."aAbcIKxyz/&=-İéßΣ😀 "), maxLength: 14 });
const literals = fc.constantFrom("a", "/", "&", "ab", "aa", "é", "=", "", "k", "ss", "i");
const patterns = fc.constantFrom(
  ...[
    "(&|^)a=([^&]*)",
    "([a-z]+)/([^/]*)",
    "[^&]*$",
    "b+",
    ".",
    "x|y",
    "(a|ab)(c|bcd)",
    "(",
    "^(?:a(b)|c)",
    "é(.)",
  ],
);
const text = (value: string): Expression => literalOf(value, STRING);
const integer = (value: number): Expression => literalOf(value, INTEGER);

/** Texts of the two text columns 0 and 1, and of the times in column 2. */
const { texts, conditions } = fc.letrec<{ texts: Expression; conditions: Expression }>((tie) => {
  const sub = tie("texts");
  return {
    texts: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(columnOf(0, STRING), columnOf(1, STRING)),
      literals.map(text),
      fc.constant(literalOf(null, NULL_TYPE)),
      fc.tuple(fc.constantFrom("TO_LOWER", "TO_UPPER"), sub).map(([name, of]) => callOf(name, STRING, of)),
      fc.tuple(sub, literals, literals).map(([of, a, b]) => callOf("REPLACE", STRING, of, text(a), text(b))),
      fc
        .tuple(sub, patterns, fc.nat(3))
        .map(([of, pattern, group]) => callOf("REGEXP_EXTRACT", STRING, of, text(pattern), integer(group))),
      fc
        .tuple(sub, literals, fc.integer({ min: -1, max: 4 }))
        .map(([of, by, at]) =>
          callOf("[]", STRING, callOf("SPLIT", arrayOf(STRING), text(by), of), integer(at)),
        ),
      fc
        .constantFrom("%Y-%m-%d", "%H:%M", "%T", "%j %p %%", "%q", "%s")
        .map((format) => callOf("STRFTIME", STRING, columnOf(2, TIMESTAMP), text(format))),
      fc
        .tuple(fc.constantFrom("IFNULL", "COALESCE"), sub, sub)
        .map(([name, a, b]) => callOf(name, STRING, a, b)),
      fc.tuple(tie("conditions"), sub, sub).map(([when, then, otherwise]): Expression => {
        return { kind: "case", branches: [{ when, then }], otherwise, type: STRING };
      }),
      sub.map((operand): Expression => ({ kind: "cast", operand, type: STRING })),
    ),
    conditions: fc.oneof(
      fc
        .tuple(fc.constantFrom("=", "<>", "<", ">="), sub, sub)
        .map(([name, a, b]) => callOf(name, BOOLEAN, a, b)),
      fc.tuple(sub, fc.array(literals, { minLength: 1, maxLength: 3 })).map(([a, among]) => {
        return callOf("IN", BOOLEAN, a, ...among.map(text));
      }),
      fc
        .tuple(sub, literals, literals)
        .map(([a, low, high]) => callOf("BETWEEN", BOOLEAN, a, text(low), text(high))),
      fc.tuple(fc.constantFrom("IS NULL", "IS NOT NULL"), sub).map(([name, a]) => callOf(name, BOOLEAN, a)),
    ),
  };
});

const expressions = fc.oneof(
  texts,
  conditions,
  texts.map((of) => callOf("STRLEN", INTEGER, of)),
  fc.tuple(texts, literals).map(([of, by]) => callOf("SPLIT", arrayOf(STRING), text(by), of)),
  fc
    .tuple(fc.constantFrom("HOUR", "MINUTE", "SECOND"), fc.integer({ min: -2, max: 25 }))
    .map(([name, value]) =>
      callOf("IN", BOOLEAN, callOf(name, INTEGER, columnOf(2, TIMESTAMP)), integer(value)),
    ),
);

const times = fc
  .oneof(fc.integer({ min: -1e6, max: 1e6 }), fc.integer({ min: -8e15, max: 8e15 }))
  .map((ms): SqlValue => ({ kind: "timestamp", ms }));

const input = fc
  .tuple(fc.nat(6), fc.boolean())
  .chain(([rows, nulls]) =>
    fc.tuple(
      ...[given, given, times].map((values: fc.Arbitrary<SqlValue>) =>
        fc.array(nulls ? fc.option(values) : values, { minLength: rows, maxLength: rows }),
      ),
    ),
  );

describe("functions of whole columns", () => {
  it("give the values and errors of the function table", () => {
    fc.assert(
      fc.property(expressions, input, (expression, columns) => {
        assertAsEvaluated(expression, columns);
      }),
      { numRuns: runs(3000) },
    );
  });

  it("leave what they cut out of a text where it is", () => {
    const url = "https://a/b?x=1&channel_id=17";
    for (const made of [
      callOf("REGEXP_EXTRACT", STRING, columnOf(0, STRING), text("(&|^)channel_id=([^&]*)"), integer(2)),
      callOf("REGEXP_EXTRACT", STRING, columnOf(0, STRING), text("[0-9]+")),
    ]) {
      const column = assertAsEvaluated(made, [[url, null, "none"]]);
      assert.equal(column.kind, "text");
      assert.equal(column.kind === "text" && column.bytes.toString(), `${url}none`);
    }
    const list = assertAsEvaluated(callOf("SPLIT", arrayOf(STRING), text("/"), columnOf(0, STRING)), [[url]]);
    assert.equal(list.kind, "textList");
  });

  it("report a position outside of a list for each row that has none, and only for those that come", () => {
    const element = callOf(
      "[]",
      STRING,
      callOf("SPLIT", arrayOf(STRING), text("/"), columnOf(0, STRING)),
      integer(1),
    );
    assertAsEvaluated(element, [["a/b", "a", null, "c", "/d"]], [1, 1, 1, -1, 1]);
  });

  it("make a text of each choice among texts", () => {
    const otherwise = literalOf(null, NULL_TYPE);
    const branches = [{ when: callOf("=", BOOLEAN, columnOf(0, STRING), text("a")), then: text("first") }];
    const column = assertAsEvaluated({ kind: "case", branches, otherwise, type: DYNAMIC }, [
      ["a", "b", null],
    ]);
    assert.equal(column.kind, "text");
  });
});
