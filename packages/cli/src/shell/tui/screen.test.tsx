import assert from "node:assert/strict";
import { Box } from "ink";
import { render } from "ink-testing-library";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { displayWidth } from "../../output/display.js";
import { edit } from "../editor.js";
import { historyOf } from "../history.js";
import { newPrompt, type PromptState } from "../prompt.js";
import { echoOf, promptArea, rowsOf } from "./prompt-area.js";
import { type LiveArea, Screen } from "./screen.js";

const look = {
  columns: 40,
  rows: 12,
  paint: undefined,
  isComplete: () => false,
  complete: (_: string, cursor: number) => ({ start: cursor, candidates: [] }),
};

function typed(text: string, more: Partial<PromptState> = {}): PromptState {
  const prompt = newPrompt(historyOf([]));
  return { ...prompt, editor: edit(prompt.editor, { kind: "insert", text }), ...more };
}

function frameOf(area: LiveArea): string {
  const { lastFrame, unmount } = render(
    <Box width={look.columns}>
      <Screen area={area} onReady={() => {}} />
    </Box>,
  );
  const frame = lastFrame() ?? "";
  unmount();
  return frame;
}

describe("the drawn prompt", () => {
  it("is the lines that were typed, each behind its mark", () => {
    assert.equal(frameOf(promptArea(typed("SELECT a\nFROM demo"), look)), "> SELECT a\n| FROM demo");
  });

  it("has the menu and one line of advice below", () => {
    const candidates = [
      { text: "demo", kind: "stream" as const, detail: "stream" },
      { text: "dish", kind: "view" as const, detail: "view" },
    ];
    const prompt = typed("FROM d", {
      menu: { candidates, start: 5, typed: "d", chosen: 1 },
      hint: "advice",
    });
    assert.equal(frameOf(promptArea(prompt, look)), "> FROM d\n  demo  stream\n› dish  view\nadvice");
  });

  it("shows what is searched for, and that it was not found", () => {
    const before = newPrompt(historyOf([])).editor;
    const prompt = typed("", { search: { query: "xyz", found: undefined, before } });
    assert.match(frameOf(promptArea(prompt, look)), /search: xyz \(not found\)/);
  });

  it("stands below the status while something runs, once something is typed", () => {
    const status = { kind: "status", panel: ["a  1", "b  2"], line: "▶ watching" } as const;
    assert.equal(frameOf({ ...status, prompt: undefined }), "a  1\nb  2\n▶ watching");
    const prompt = promptArea(typed("SEL"), look);
    assert.equal(frameOf({ ...status, prompt }), "a  1\nb  2\n▶ watching\n> SEL");
  });

  it("is nothing at the end", () => {
    assert.equal(frameOf({ kind: "nothing" }), "");
  });

  it("complaint 36: is lower than the terminal and not wider, whatever is typed", () => {
    const size = fc.record({
      columns: fc.integer({ min: 8, max: 60 }),
      rows: fc.integer({ min: 4, max: 30 }),
    });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), size, (text, { columns, rows }) => {
        const area = promptArea(typed(text, { hint: "advice" }), { ...look, columns, rows });
        assert.ok(rowsOf(area) < rows, `${rowsOf(area)} of ${rows}`);
        for (const line of area.shown) assert.ok(displayWidth(line) <= columns, line);
        assert.ok(area.layout.cursorRow < area.shown.length);
        assert.ok(area.layout.cursorColumn < columns);
      }),
      { numRuns: runs(200) },
    );
  });

  it("stays in the scrollback as it was typed", () => {
    assert.equal(echoOf("SELECT a\nFROM demo;", undefined), "> SELECT a\n| FROM demo;\n");
  });
});
