import assert from "node:assert/strict";
import fc from "fast-check";
import { type Key, KeyDecoder } from "./keys.js";

function decode(...chunks: readonly string[]): readonly Key[] {
  const decoder = new KeyDecoder();
  return [...chunks.flatMap((chunk) => decoder.feed(chunk)), ...decoder.flush()];
}

/** Short names for comparing. */
function names(keys: readonly Key[]): readonly string[] {
  return keys.map((key) => {
    if (key.kind !== "key") return `${key.kind}:${key.text}`;
    return `${key.ctrl ? "C-" : ""}${key.alt ? "M-" : ""}${key.shift ? "S-" : ""}${key.name}`;
  });
}

describe("the key decoder", () => {
  it("knows text, control keys and sequences", () => {
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ["abc\r", ["text:abc", "enter"]],
      ["\u007f\u007f", ["backspace", "backspace"]],
      ["\u0003\u0004\u0001", ["C-c", "C-d", "C-a"]],
      ["\u001b[A\u001b[1;5D\u001b[3~\u001bOH", ["up", "C-left", "delete", "home"]],
      ["\u001bb\u001b\r\u001b\u007f", ["M-b", "M-enter", "M-backspace"]],
      ["\u001b[13;2u\u001b[Z", ["S-enter", "S-tab"]],
      ["\u001b", ["escape"]],
      ["\u001b\u001b[A", ["escape", "up"]],
      ["héé漢", ["text:héé漢"]],
      ["\n", ["newline"]],
    ];
    for (const [input, expected] of cases)
      assert.deepEqual(names(decode(input)), expected, JSON.stringify(input));
  });

  it("takes a paste as one, whatever is in it", () => {
    assert.deepEqual(names(decode("x\u001b[200~SELECT 1;\rSELECT\u001b[A 2;\u001b[201~y")), [
      "text:x",
      "paste:SELECT 1;\rSELECT\u001b[A 2;",
      "text:y",
    ]);
  });

  it("gives the same keys however the bytes are cut", () => {
    const part = fc.constantFrom(
      "a",
      "bc",
      "\r",
      "\u007f",
      "\u0003",
      "\u001b[A",
      "\u001b[1;5C",
      "\u001bOF",
      "\u001bb",
      "\u001b[200~x\r\n;\u001b[201~",
      "é",
      "\u001b[3~",
    );
    fc.assert(
      fc.property(fc.array(part), fc.array(fc.nat(60)), (parts, cuts) => {
        const input = parts.join("");
        const places = [...new Set(cuts.map((cut) => cut % (input.length + 1)))].sort((a, b) => a - b);
        const chunks = [...places, input.length].map((end, index) =>
          input.slice(index === 0 ? 0 : places[index - 1], end),
        );
        assert.deepEqual(joinText(decode(...chunks)), joinText(decode(input)));
      }),
    );
  });

  it("never throws and always comes to an end", () => {
    const unit = fc.constantFrom(
      "\u001b",
      "[",
      "O",
      ";",
      "2",
      "0",
      "~",
      "u",
      "\u0000",
      "x",
      "200~",
      "201~",
      "\ud83d",
    );
    fc.assert(
      fc.property(fc.array(unit), (units) => {
        const decoder = new KeyDecoder();
        decoder.feed(units.join(""));
        decoder.flush();
        decoder.feed("\u001b[201~");
        assert.deepEqual(names(decoder.feed("\r")).at(-1), "enter");
      }),
    );
  });
});

function joinText(keys: readonly Key[]): readonly string[] {
  const out: string[] = [];
  for (const name of names(keys)) {
    const before = out.at(-1);
    if (name.startsWith("text:") && before?.startsWith("text:")) out[out.length - 1] = before + name.slice(5);
    else out.push(name);
  }
  return out;
}
