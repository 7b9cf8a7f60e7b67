import assert from "node:assert/strict";
import { nearestName } from "./nearest-name.js";
import { renderDiagnostic } from "./render.js";

describe("did you mean", () => {
  const names = ["flights", "SELECT", "a", "origin", "destination"];
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["flihgts", "flights"],
    ["FLIGHTS", "flights"],
    ["selct", "SELECT"],
    ["orgn", undefined],
    ["destnatoin", "destination"],
    ["A", "a"],
    ["b", undefined],
    ["elephant", undefined],
  ];
  for (const [name, expected] of cases) {
    it(`${name}: ${expected ?? "nothing"}`, () => assert.equal(nearestName(name, names), expected));
  }
});

describe("rendering of findings", () => {
  const at = (start: number, end: number, line: number, column: number) => ({ start, end, line, column });

  it("shows the line, a caret, and the hint", () => {
    const text = "SELECT 1;\n\tSELECT bad\n;";
    assert.equal(
      renderDiagnostic(text, { severity: "error", message: "No.", hint: "Do.", span: at(18, 21, 2, 9) }),
      "error: No.\n2 |  SELECT bad\n  |         ^^^\nhint: Do.",
    );
  });

  it("points behind the end of the text", () => {
    assert.equal(
      renderDiagnostic("SELECT", { severity: "error", message: "No.", span: at(6, 6, 1, 7) }),
      "error: No.\n1 | SELECT\n  |       ^",
    );
  });

  it("cuts a long line around the place", () => {
    const text = `${"x".repeat(500)}!${"y".repeat(500)}`;
    const rendered = renderDiagnostic(text, {
      severity: "error",
      message: "No.",
      span: at(500, 501, 1, 501),
    });
    const [, line = "", caret = ""] = rendered.split("\n");
    assert(line.length <= 130);
    assert.equal(line[caret.indexOf("^")], "!");
  });
});
