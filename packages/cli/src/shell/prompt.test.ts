import assert from "node:assert/strict";
import fc from "fast-check";
import { historyOf } from "./history.js";
import { KeyDecoder } from "./keys.js";
import { newPrompt, pressKey, type PromptEffect, type PromptHelp, type PromptState } from "./prompt.js";

const isComplete = (text: string) => /;\s*$/.test(text);
const help: PromptHelp = { isComplete, complete: (_, cursor) => ({ start: cursor, candidates: [] }) };

function type(input: string, from: PromptState = newPrompt(historyOf([]))) {
  const decoder = new KeyDecoder();
  const effects: PromptEffect[] = [];
  let state = from;
  for (const key of [...decoder.feed(input), ...decoder.flush()]) {
    const step = pressKey(state, key, help);
    state = step.state;
    if (step.effect.kind !== "none") effects.push(step.effect);
  }
  return { state, effects };
}

const up = "\u001b[A";
const down = "\u001b[B";

describe("the prompt", () => {
  it("complaint 1: runs a complete statement on Enter, and breaks the line within one", () => {
    const { state, effects } = type("SELECT 1\rFROM t;\r");
    assert.deepEqual(effects, [{ kind: "submit", text: "SELECT 1\nFROM t;" }]);
    assert.equal(state.editor.text, "");
    assert.deepEqual(state.history.entries, ["SELECT 1\nFROM t;"]);
  });

  it("runs shell commands without a semicolon", () => {
    assert.deepEqual(type(":help\r\\q\rexit\r").effects, [
      { kind: "submit", text: ":help" },
      { kind: "submit", text: "\\q" },
      { kind: "submit", text: "exit" },
    ]);
  });

  it("never runs what was pasted until Enter", () => {
    const { state, effects } = type("\u001b[200~SELECT 1;\rSELECT 2;\r\u001b[201~");
    assert.deepEqual(effects, []);
    assert.equal(state.editor.text, "SELECT 1;\nSELECT 2;\n");
    assert.deepEqual(type("\r", state).effects, [{ kind: "submit", text: "SELECT 1;\nSELECT 2;" }]);
  });

  it("complaint 6: walks history by statement at the edges of the text, and comes back to the draft", () => {
    const history = historyOf(["SELECT 1;", "SELECT\n2;"]);
    const typed = type(`draft${up}`, newPrompt(history)).state;
    assert.equal(typed.editor.text, "SELECT\n2;");
    const second = type(`${up}${up}`, typed).state;
    assert.equal(second.editor.text, "SELECT 1;");
    assert.equal(type(`${down}${down}`, second).state.editor.text, "draft");
  });

  it("clears the input on Ctrl-C, keeps it to be yanked, and hints when there is none", () => {
    const { state } = type("SELECT\u0003");
    assert.equal(state.editor.text, "");
    assert.match(state.hint ?? "", /Ctrl-Y/);
    assert.equal(type("\u0019", state).state.editor.text, "SELECT");
    assert.match(type("\u0003").state.hint ?? "", /Ctrl-D/);
  });

  it("leaves on Ctrl-D when nothing is typed", () => {
    assert.deepEqual(type("\u0004").effects, [{ kind: "quit" }]);
    assert.deepEqual(type("ab\u0001\u0004").state.editor.text, "b");
  });

  it("stays valid under any keys", () => {
    const part = fc.constantFrom(
      "a",
      ";",
      "\r",
      "\n",
      "\t",
      up,
      down,
      "\u0003",
      "\u0017",
      "\u0019",
      "\u001f",
      "\u001b\r",
      "漢",
      "\u001b[200~p\rq;\u001b[201~",
      "\u007f",
      "\u001b[1;5D",
      "\u0014",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 80 }), (parts) => {
        const { state, effects } = type(parts.join(""));
        assert(state.editor.cursor <= state.editor.text.length);
        for (const effect of effects) if (effect.kind === "submit") assert(isComplete(effect.text));
      }),
    );
  });
});
