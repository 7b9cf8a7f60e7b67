import assert from "node:assert/strict";
import fc from "fast-check";
import { HStreamClientError } from "@hstream/client";
import { CommandError, failureOf, renderFailure, renderFailureAsJson, renderPosition } from "./failure.js";
import { displayWidth } from "./output/display.js";

const at = { line: 2, column: 5, length: 3, sourceLine: "SEL abc def" };

describe("failures", () => {
  it("have the exit codes that the README promises", () => {
    const cases: readonly (readonly [HStreamClientError | CommandError | Error, number])[] = [
      [new HStreamClientError({ reason: "refused", message: "m", code: 200, grpcStatus: 5 }), 3],
      [new HStreamClientError({ reason: "refused", message: "m", code: 201, grpcStatus: 6 }), 3],
      [new HStreamClientError({ reason: "refused", message: "m", code: 302, grpcStatus: 9 }), 3],
      [new HStreamClientError({ reason: "refused", message: "m", code: 204, grpcStatus: 3 }), 1],
      [new HStreamClientError({ reason: "sql", message: "m", code: 402, grpcStatus: 3 }), 1],
      [new HStreamClientError({ reason: "unavailable", message: "m", grpcStatus: 14 }), 5],
      [new HStreamClientError({ reason: "unavailable", message: "m", code: 0, grpcStatus: 14 }), 1],
      [new HStreamClientError({ reason: "timeout", message: "m", grpcStatus: 4 }), 5],
      [new HStreamClientError({ reason: "usage", message: "m" }), 2],
      [new CommandError({ exitCode: 2, message: "m" }), 2],
      [new Error("m"), 1],
    ];
    for (const [error, code] of cases)
      assert.equal(failureOf(error, "h:1").exitCode, code, JSON.stringify(error));
  });

  it("show people the line, a caret and one hint", () => {
    const failure = { exitCode: 1 as const, code: 402, message: "no", hint: "do", position: at };
    assert.equal(renderFailure(failure), "error: no\n2 | SEL abc def\n        ^^^\nhint: do\n");
    assert.deepEqual(JSON.parse(renderFailureAsJson(failure)), {
      error: { code: 402, message: "no", hint: "do", position: { line: 2, column: 5 } },
    });
  });

  it("put the caret under what is meant, whatever stands before it", () => {
    assert.equal(
      renderPosition({ ...at, sourceLine: "漢\té abc", column: 5, length: 3 }, 80),
      "2 | 漢\\té abc\n          ^^^\n",
    );
    const line = fc.string({ unit: "grapheme", maxLength: 300 });
    fc.assert(
      fc.property(
        line,
        fc.integer({ min: -3, max: 400 }),
        fc.nat(20),
        fc.integer({ min: 20, max: 100 }),
        (sourceLine, column, length, width) => {
          const [shown = "", carets = ""] = renderPosition(
            { line: 1, column, length, sourceLine },
            width,
          ).split("\n");
          assert.match(carets, /^ *\^+$/);
          assert.doesNotMatch(shown, /[\u0000-\u001f\u007f]/);
          assert(displayWidth(carets) <= displayWidth(shown) + 1);
        },
      ),
    );
  });

  it("never let a message steer the terminal", () => {
    assert.equal(
      renderFailure({ exitCode: 1, code: 1, message: "a\u001b[2Jb\nc" }),
      "error: a\\u001b[2Jb\nc\n",
    );
  });
});
