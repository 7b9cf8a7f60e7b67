import type { Key } from "./keys.js";

/**
 * A terminal without bracketed paste sends what is pasted as if it were typed fast. An Enter that comes
 * within this time of a printable waits as long again: what follows in the burst makes it a line break.
 */
export const burstMs = 30;

const lineBreak: Key = { kind: "text", text: "\n" };

/** Tells the Enter of a hand from the line ends of a paste that is not marked. */
export class EnterGate {
  #held: Key | undefined;
  #printableAt = Number.NEGATIVE_INFINITY;

  /** Whether an Enter waits: call `release` when nothing came for `burstMs`. */
  get holds(): boolean {
    return this.#held !== undefined;
  }

  /** The keys of one chunk, which arrived at `at` (ms); an Enter in doubt stays behind. */
  pass(keys: readonly Key[], at: number): readonly Key[] {
    const passed: Key[] = [];
    for (const key of keys) {
      const enter = isEnter(key);
      if (this.#held !== undefined) {
        passed.push(enter || key.kind === "text" ? lineBreak : this.#held);
        this.#held = undefined;
        if (enter || key.kind === "text") this.#printableAt = at;
      }
      if (enter && at - this.#printableAt < burstMs) this.#held = key;
      else passed.push(key);
      if (key.kind === "text") this.#printableAt = at;
    }
    return passed;
  }

  /** Nothing followed: it was an Enter. */
  release(): readonly Key[] {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? [] : [held];
  }
}

function isEnter(key: Key): boolean {
  return key.kind === "key" && key.name === "enter" && !key.ctrl && !key.alt && !key.shift;
}
