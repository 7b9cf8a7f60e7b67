import assert from "node:assert/strict";
import { runs } from "@hstream/proto/testing";
import * as fc from "fast-check";
import { RE2JS } from "re2js";
import { OnePass } from "./one-pass.js";

/** The bounds of the groups of the first match, in bytes; null without one. */
function general(pattern: string, text: string): (readonly [number, number])[] | null {
  const matcher = RE2JS.compile(pattern).matcher(text);
  if (!matcher.find()) return null;
  const bytesTo = (at: number) => (at < 0 ? -1 : Buffer.byteLength(text.slice(0, at)));
  return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => {
    return [bytesTo(matcher.start(group)), bytesTo(matcher.end(group))];
  });
}

/** The same by the one-pass engine, in the middle of other bytes; undefined where it does not know. */
function onePass(expression: OnePass, text: string): (readonly [number, number])[] | null | undefined {
  const before = Buffer.from("ab&");
  const bytes = Buffer.concat([before, Buffer.from(text), Buffer.from("ab&")]);
  const found = expression.find(bytes, before.length, before.length + Buffer.byteLength(text));
  if (found !== true) return found === false ? null : undefined;
  return Array.from({ length: expression.groupCount + 1 }, (_, group) => {
    const [start = -1, end = -1] = expression.bounds.subarray(2 * group, 2 * group + 2);
    const inText = (at: number) => (at < 0 ? -1 : at - before.length);
    // A group that took no part may have been begun.
    return start < 0 || end < 0 ? [-1, -1] : [inText(start), inText(end)];
  });
}

const { pattern } = fc.letrec<{ pattern: string }>((tie) => {
  const sub = tie("pattern");
  return {
    pattern: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          "a",
          "b",
          "c",
          "&",
          "=",
          "ab",
          "^",
          "$",
          "",
          "\\.",
          "\\d",
          "x",
          "aab",
          "&&a",
          "ab(&)a",
        ),
      },
      fc.constantFrom(".", "[^&]", "[ab]", "[a-c]", "[^a-c=]", "\\w", "\\W", "\\s", "[\\d&]", "\\n", "\\S"),
      {
        weight: 2,
        arbitrary: fc
          .tuple(sub, fc.constantFrom("*", "+", "?", "*?", "+?", "??"))
          .map(([a, b]) => `(?:${a})${b}`),
      },
      { weight: 2, arbitrary: fc.tuple(sub, sub).map(([a, b]) => a + b) },
      fc.tuple(sub, sub).map(([a, b]) => `(?:${a}|${b})`),
      { weight: 2, arbitrary: sub.map((a) => `(${a})`) },
    ),
  };
});
const texts = fc.string({ unit: fc.constantFrom(..."aabbc&&==.1x \né"), maxLength: 12 });

describe("one-pass regular expressions", () => {
  it("match as RE2's general engine does, groups included", () => {
    let decided = 0;
    fc.assert(
      fc.property(pattern, fc.array(texts, { minLength: 1, maxLength: 6 }), (pattern, texts) => {
        const expression = OnePass.compile(pattern);
        if (expression === undefined) return;
        for (const text of texts) {
          const found = onePass(expression, text);
          if (found === undefined) continue;
          decided += 1;
          assert.deepEqual(found, general(pattern, text), JSON.stringify({ pattern, text }));
        }
      }),
      { numRuns: runs(5000) },
    );
    assert.ok(decided > runs(5000) / 2, `only ${decided} were decided`);
  });

  it("know what people write", () => {
    const patterns = [
      "(&|^)channel_id=([^&]*)",
      "^https?://([^/]+)/([^?]*)(?:\\?(.*))?$",
      "[0-9]+",
      "b=(\\d)",
      "^(\\w+)\\s(\\w+)$",
      "\\.(gif|jpg|png)$",
      "user=([a-z]+)",
      "^[A-Za-z_]\\w*$",
    ];
    const text = "https://www.nexmark.com/a_b/c/item.htm?query=1&channel_id=17&b=2&user=joe";
    for (const pattern of patterns) {
      const expression = OnePass.compile(pattern);
      assert.ok(expression !== undefined, pattern);
      for (const given of [text, "channel_id=", "ab cd", "x.png", "", "&channel_id=5&channel_id=6"]) {
        assert.deepEqual(onePass(expression, given), general(pattern, given), `${pattern} on ${given}`);
      }
    }
  });

  it("leave what offers a choice, and what is not understood, to the general engine", () => {
    for (const pattern of [
      "a*a",
      "(a|ab)c",
      "(a*)*",
      "a{2}",
      "\\bx",
      "(?i)x",
      "é",
      "[[:alpha:]]",
      "(",
      "*",
      "[b-a]",
    ]) {
      assert.equal(OnePass.compile(pattern), undefined, pattern);
    }
  });

  it("leave texts in which characters beyond ASCII matter", () => {
    const expression = OnePass.compile("=([^&]*)");
    assert.ok(expression !== undefined);
    assert.equal(onePass(expression, "=é&"), undefined);
    assert.deepEqual(onePass(expression, "é=a&é"), general("=([^&]*)", "é=a&é"));
  });

  it("give up a search that would not be linear", () => {
    const expression = OnePass.compile("a[a]*b");
    assert.ok(expression !== undefined);
    assert.equal(onePass(expression, "a".repeat(5000)), undefined);
    assert.equal(onePass(expression, "c".repeat(5000)), null);
  });
});
