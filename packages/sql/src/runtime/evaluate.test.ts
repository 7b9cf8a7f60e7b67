import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { EvaluationContext } from "../functions/function.js";
import { bindExpressionText } from "../testing/bind-text.js";
import { toText } from "../values/text.js";
import { evaluate } from "./evaluate.js";

function run(text: string): { readonly value: string; readonly errors: number } {
  let errors = 0;
  const context: EvaluationContext = {
    nowMs: 0,
    error: () => {
      errors += 1;
      return null;
    },
  };
  return { value: toText(evaluate(bindExpressionText(text), [], context)), errors };
}

describe("three-valued logic", () => {
  const all = ["TRUE", "FALSE", "NULL"];
  const not: Readonly<Record<string, string>> = { TRUE: "FALSE", FALSE: "TRUE", NULL: "NULL" };
  for (const a of all) {
    for (const b of all) {
      const and = a === "FALSE" || b === "FALSE" ? "FALSE" : a === "NULL" || b === "NULL" ? "NULL" : "TRUE";
      const or = a === "TRUE" || b === "TRUE" ? "TRUE" : a === "NULL" || b === "NULL" ? "NULL" : "FALSE";
      it(`${a}, ${b}`, () => {
        assert.equal(run(`${a} AND ${b}`).value, and);
        assert.equal(run(`${a} OR ${b}`).value, or);
        assert.equal(run(`NOT (${a} AND ${b})`).value, not[and]);
      });
    }
  }

  it("does not look further than it must", () => {
    assert.deepEqual(run("FALSE AND 1 / 0 = 1"), { value: "FALSE", errors: 0 });
    assert.deepEqual(run("1 / 0 = 1 AND FALSE"), { value: "FALSE", errors: 1 });
    assert.deepEqual(run("CASE WHEN TRUE THEN 1 ELSE 1 / 0 END"), { value: "1", errors: 0 });
  });
});

describe("numbers", () => {
  it("of static type FLOAT do not overflow like integers", () => {
    assert.deepEqual(run("1e10::FLOAT * 1e10::FLOAT"), { value: "100000000000000000000", errors: 0 });
    assert.deepEqual(run("10000000000 * 10000000000"), { value: "NULL", errors: 1 });
    assert.deepEqual(run("1152921504606846977 + 2.0"), { value: "1152921504606847000", errors: 0 });
    assert.deepEqual(run("1e308 * 10"), { value: "NULL", errors: 1 });
  });
});

describe("errors", () => {
  it("are reported once each and give NULL, which goes on", () => {
    assert.deepEqual(run("(1 / 0) + 1"), { value: "NULL", errors: 1 });
    assert.deepEqual(run("IFNULL('x'::INTEGER, 7)"), { value: "7", errors: 1 });
    assert.deepEqual(run("('{\"a\":\"x\"}'::JSONB -> 'a') + 1"), { value: "NULL", errors: 1 });
  });
});

describe("the runtime", () => {
  it("never loads the parser", () => {
    const seen = new Set<string>();
    const visit = (url: URL): void => {
      if (seen.has(url.href)) return;
      seen.add(url.href);
      for (const [, path = ""] of readFileSync(url, "utf8").matchAll(/from "([^"]+)"/g)) {
        assert.notEqual(path, "chevrotain", url.pathname);
        if (path.startsWith(".")) visit(new URL(path, url));
      }
    };
    visit(new URL("../runtime.js", import.meta.url));
    assert(seen.size > 15);
  });
});
