import assert from "node:assert/strict";
import fc from "fast-check";
import { burstMs, EnterGate } from "./enter-gate.js";
import { KeyDecoder } from "./keys.js";

/** Feeds chunks at their times; a pause of a burst or more releases what is held. */
function run(chunks: readonly (readonly [at: number, bytes: string])[]): string[] {
  const gate = new EnterGate();
  const out: string[] = [];
  let last = 0;
  const take = (keys: ReturnType<EnterGate["release"]>) => {
    for (const key of keys) out.push(key.kind === "key" ? `<${key.name}>` : key.text);
  };
  for (const [at, bytes] of chunks) {
    if (at - last >= burstMs) take(gate.release());
    last = at;
    take(gate.pass(new KeyDecoder().feed(bytes), at));
  }
  take(gate.release());
  return out;
}

describe("the Enter of a burst", () => {
  it("is an Enter when nothing follows", () => {
    assert.deepEqual(run([[0, "SELECT 1;\r"]]), ["SELECT 1;", "<enter>"]);
  });

  it("complaint 40: is a line break when more text follows", () => {
    assert.deepEqual(run([[0, "SELECT 1;\rSELECT 2;\r"]]), ["SELECT 1;", "\n", "SELECT 2;", "<enter>"]);
    assert.deepEqual(
      run([
        [0, "SELECT\r"],
        [10, "1;"],
      ]),
      ["SELECT", "\n", "1;"],
    );
    assert.deepEqual(run([[0, "a\r\r\rb"]]), ["a", "\n", "\n", "\n", "b"]);
  });

  it("is an Enter when a named key follows", () => {
    assert.deepEqual(run([[0, "SELECT 1;\r\u001b[A"]]), ["SELECT 1;", "<enter>", "<up>"]);
  });

  it("passes at once when the hand was slow", () => {
    const gate = new EnterGate();
    gate.pass(new KeyDecoder().feed("a;"), 0);
    assert.equal(gate.pass(new KeyDecoder().feed("\r"), burstMs).length, 1);
    assert.equal(gate.holds, false);
  });

  it("loses no key, whatever the times", () => {
    const chunk = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.stringMatching(/^[ab\r]{1,5}$/));
    fc.assert(
      fc.property(fc.array(chunk), (steps) => {
        let at = 0;
        const chunks = steps.map(([pause, bytes]) => [(at += pause), bytes] as const);
        const sent = steps.map(([, bytes]) => bytes).join("");
        const got = run(chunks)
          .join("")
          .replaceAll(/<enter>|\n/g, "\r");
        assert.equal(got, sent);
      }),
    );
  });
});
