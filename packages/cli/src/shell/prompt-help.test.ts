import assert from "node:assert/strict";
import fc from "fast-check";
import { displayWidth } from "../output/display.js";
import { complete, type CompletionSources } from "./completion/complete.js";
import { historyOf } from "./history.js";
import { KeyDecoder } from "./keys.js";
import { menuLines } from "./menu.js";
import { ghostText, newPrompt, pressKey, type PromptHelp, type PromptState } from "./prompt.js";

const sources: CompletionSources = {
  relations: [
    { name: "flights", kind: "stream" },
    { name: "flown", kind: "stream" },
    { name: "airports", kind: "view" },
  ],
  columns: () => [{ name: "delay", type: "INTEGER" }],
  functions: [],
  files: () => [],
  savedQueries: [],
};
const help: PromptHelp = {
  isComplete: (text) => /;\s*$/.test(text),
  complete: (text, cursor) => complete(text, cursor, sources),
};
const history = historyOf(["SELECT a FROM t;", "CREATE STREAM t;", "SELECT b FROM u;"]);

function type(input: string, from: PromptState = newPrompt(history)): PromptState {
  const decoder = new KeyDecoder();
  let state = from;
  for (const key of [...decoder.feed(input), ...decoder.flush()]) state = pressKey(state, key, help).state;
  return state;
}

const right = "\u001b[C";

describe("the menu of completions", () => {
  it("puts the only word in, with a blank behind it", () => {
    assert.equal(type("SELECT * FROM air\t").editor.text, "SELECT * FROM airports ");
  });

  it("puts in what several words share, then goes through them with Tab, and back", () => {
    const first = type("SELECT * FROM f\t");
    assert.equal(first.editor.text, "SELECT * FROM fl");
    assert.equal(first.menu?.candidates.length, 2);
    assert.equal(type("\t", first).editor.text, "SELECT * FROM flights");
    assert.equal(type("\t\t", first).editor.text, "SELECT * FROM flown");
    assert.equal(type("\t\t\t", first).editor.text, "SELECT * FROM flights");
    assert.equal(type("\t\u001b[Z", first).editor.text, "SELECT * FROM flown");
  });

  it("takes a choice with Enter without running, and gives it back with Escape", () => {
    const chosen = type("SELECT * FROM f\t\t\r");
    assert.equal(chosen.editor.text, "SELECT * FROM flights ");
    assert.equal(chosen.menu, undefined);
    assert.equal(type("SELECT * FROM f\t\t\u001b").editor.text, "SELECT * FROM fl");
  });

  it("narrows as letters follow, and closes when the word ends", () => {
    const open = type("SELECT * FROM f\t");
    assert.deepEqual(
      type("o", open).menu?.candidates.map(({ text }) => text),
      ["flown"],
    );
    assert.equal(type(" ", open).menu, undefined);
  });

  it("never exceeds its width and rows", () => {
    const sizes = fc.record({
      columns: fc.integer({ min: 10, max: 60 }),
      rows: fc.integer({ min: 0, max: 9 }),
    });
    const names = fc.array(fc.string({ unit: "grapheme", minLength: 1 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(names, sizes, fc.nat(), (texts, { columns, rows }, chosen) => {
        const candidates = texts.map((text) => ({ text, kind: "stream" as const, detail: "x".repeat(40) }));
        const menu = { candidates, start: 0, typed: "", chosen: chosen % texts.length };
        const lines = menuLines(menu, columns, rows, false);
        assert(lines.length <= rows);
        for (const line of lines) assert(displayWidth(line) < columns, line);
        if (rows > 0) assert(lines.some((line) => line.startsWith("›")));
      }),
    );
  });
});

describe("the grey text", () => {
  it("is the rest of the last statement that began like this, and Right takes it", () => {
    const typed = type("SELECT");
    assert.equal(ghostText(typed, help), " b FROM u;");
    assert.equal(type(right, typed).editor.text, "SELECT b FROM u;");
    assert.equal(type("\u001bf", typed).editor.text, "SELECT b ");
  });

  it("is the rest of the only word that fits when history has nothing", () => {
    assert.equal(ghostText(type("DESCRIBE airp"), help), "orts");
    assert.equal(ghostText(type("DESCRIBE fl"), help), "", "two would fit");
    assert.equal(ghostText(type("SELECT\u001b[D"), help), "", "the cursor is not at the end");
  });
});

describe("complaint 8: the search through history", () => {
  it("finds parts of statements inline, the newest first, and takes one without running it", () => {
    const found = type("\u0012from");
    assert.equal(found.editor.text, "SELECT b FROM u;");
    assert.equal(type("\u0012", found).editor.text, "SELECT a FROM t;");
    const taken = type("\r", type("\u0012", found));
    assert.equal(taken.search, undefined);
    assert.equal(taken.editor.text, "SELECT a FROM t;");
  });

  it("goes back to what was typed, and says when there is nothing", () => {
    const found = type("draft\u0012stream");
    assert.equal(found.editor.text, "CREATE STREAM t;");
    assert.equal(type("\u0007", found).editor.text, "draft");
    assert.equal(type("zz", found).search?.found, undefined);
    assert.equal(type("\u007f\u007fzz\u007f\u007f", found).search?.query, "stre");
  });
});

describe("the prompt with all its helpers", () => {
  it("stays valid under any keys", () => {
    const part = fc.constantFrom(
      "f",
      "SELECT ",
      "\t",
      "\u001b[Z",
      "\u0012",
      "\u0007",
      "\r",
      right,
      "\u001b",
      ";",
      "\u0003",
      "\u007f",
      "\u001b[A",
      "\u0018",
      "漢",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        const state = type(parts.join(""));
        assert(state.editor.cursor <= state.editor.text.length);
        if (state.menu !== undefined) assert(state.menu.start <= state.editor.cursor);
        ghostText(state, help);
      }),
    );
  });
});
