import assert from "node:assert/strict";
import fc from "fast-check";
import { edit, type EditorAction, type EditorState, emptyEditor, type Motion } from "./editor.js";

const motions: readonly Motion[] = [
  "left",
  "right",
  "word-left",
  "word-right",
  "line-start",
  "line-end",
  "start",
  "end",
  "up",
  "down",
];
const motion = fc.constantFrom(...motions);
const piece = fc.oneof(
  fc.constantFrom("a", " ", "\n", "é", "👩‍👩‍👧", "🇩🇪", "漢", ";", "\r\n", "\t"),
  fc.string({ unit: "grapheme" }),
);
const action: fc.Arbitrary<EditorAction> = fc.oneof(
  fc.record({ kind: fc.constant("insert" as const), text: piece }),
  fc.record({ kind: fc.constant("move" as const), to: motion }),
  fc.record({ kind: fc.constant("erase" as const), to: motion }),
  fc.record({ kind: fc.constant("kill" as const), to: motion }),
  fc.constantFrom<EditorAction>(
    { kind: "yank" },
    { kind: "yank-older" },
    { kind: "transpose" },
    { kind: "undo" },
    { kind: "redo" },
    { kind: "clear" },
  ),
  fc.record({ kind: fc.constant("set" as const), text: piece }),
);

function run(actions: readonly EditorAction[], from: EditorState = emptyEditor): EditorState {
  return actions.reduce(edit, from);
}

const type = (text: string): EditorAction => ({ kind: "insert", text });

describe("the editor", () => {
  it("stays valid whatever is done to it", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const { text, cursor, kills, undo } = run(actions);
        assert(cursor >= 0 && cursor <= text.length);
        assert.doesNotMatch(text, /\p{Surrogate}/u);
        assert.doesNotMatch(text.slice(0, cursor), /\p{Surrogate}/u, "the cursor stands within a character");
        assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f]/);
        assert(kills.length <= 30 && undo.length <= 200);
      }),
    );
  });

  it("goes back to nothing when everything is undone, and forth again", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const typed = run(actions.filter(({ kind }) => kind !== "undo" && kind !== "redo"));
        let state = typed;
        while (state.undo.length > 0) state = edit(state, { kind: "undo" });
        assert.equal(state.text, "");
        while (state.redo.length > 0) state = edit(state, { kind: "redo" });
        assert.equal(state.text, typed.text);
      }),
    );
  });

  it("yanks back what was killed", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), motion, (actions, to) => {
        const before = run([...actions, { kind: "move", to: "right" }]);
        const after = run([{ kind: "kill", to }, { kind: "yank" }], before);
        if (edit(before, { kind: "kill", to }) !== before) assert.equal(after.text, before.text);
      }),
    );
  });

  it("joins kills in a row, and turns through older ones", () => {
    const kill: EditorAction = { kind: "kill", to: "word-left" };
    const joined = run([type("one two three"), kill, kill, { kind: "yank" }]);
    assert.equal(joined.text, "one two three");
    assert.equal(joined.kills.at(-1), "two three");
    const older = run([
      type("a b"),
      kill,
      { kind: "move", to: "start" },
      { kind: "kill", to: "line-end" },
      { kind: "yank" },
      { kind: "yank-older" },
    ]);
    assert.equal(older.text, "b");
  });

  it("keeps its column over short lines", () => {
    const up: EditorAction = { kind: "move", to: "up" };
    const state = run([type("long line\nx\nanother"), up, up]);
    assert.equal(state.cursor, 7);
  });

  it("moves and erases whole graphemes", () => {
    const state = run([type("a👩‍👩‍👧é"), { kind: "erase", to: "left" }, { kind: "erase", to: "left" }]);
    assert.equal(state.text, "a");
  });

  it("undoes a word at a time", () => {
    const letters = [..."one two"].map(type);
    const state = run([...letters, { kind: "undo" }]);
    assert.equal(state.text, "one");
  });
});
