/** What the user did, out of the bytes that a terminal sends. */
export type Key =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "paste"; readonly text: string }
  | {
      readonly kind: "key";
      readonly name: KeyName;
      readonly ctrl: boolean;
      readonly alt: boolean;
      readonly shift: boolean;
    };

/** A named key, or the letter that was typed with Ctrl or Alt. */
export type KeyName = string;

/** A paste is cut at this many UTF-16 units. */
export const pasteUnitsMax = 4 * 1_048_576;
/** A lone escape character is a key of its own when nothing follows for so long. */
export const escapeTimeoutMs = 50;

const escape = "\u001b";
const pasteStart = "\u001b[200~";
const pasteEnd = "\u001b[201~";

/** Decodes terminal input, chunk by chunk; sequences may be cut anywhere. */
export class KeyDecoder {
  #pending = "";
  #paste: string | undefined;

  /** Whether something waits for its end: after the timeout, call `flush`. */
  get waiting(): boolean {
    return this.#pending !== "" && this.#paste === undefined;
  }

  feed(chunk: string): readonly Key[] {
    const keys: Key[] = [];
    let rest = this.#pending + chunk;
    this.#pending = "";
    while (rest !== "") {
      const used = this.#paste === undefined ? this.#step(rest, keys) : this.#stepPaste(rest, keys);
      if (used === 0) {
        this.#pending = rest;
        break;
      }
      rest = rest.slice(used);
    }
    return keys;
  }

  /** What waits means what it says: nothing more comes. */
  flush(): readonly Key[] {
    const waiting = this.#pending;
    this.#pending = "";
    if (waiting === "" || this.#paste !== undefined) {
      this.#pending = waiting;
      return [];
    }
    const keys: Key[] = [key("escape")];
    return waiting.length === 1 ? keys : [...keys, ...this.feed(waiting.slice(1))];
  }

  /** Consumes the start of `rest`; 0 when more is needed. */
  #step(rest: string, keys: Key[]): number {
    const code = rest.charCodeAt(0);
    if (code === 0x1b) return this.#stepEscape(rest, keys);
    if (code < 0x20 || code === 0x7f) {
      keys.push(controlKey(code));
      return 1;
    }
    let end = 1;
    while (end < rest.length && isPrintable(rest.charCodeAt(end))) end += 1;
    keys.push({ kind: "text", text: rest.slice(0, end) });
    return end;
  }

  #stepEscape(rest: string, keys: Key[]): number {
    if (rest.startsWith(pasteStart)) {
      this.#paste = "";
      return pasteStart.length;
    }
    if (rest.length === 1) return 0;
    const next = rest[1];
    if (next === "[") {
      const sequence = /^\u001b\[([0-9;:<=>?]*)[ -/]*([@-~])/.exec(rest);
      if (sequence !== null) {
        const named = csiKey(sequence[1] ?? "", sequence[2] ?? "");
        if (named !== undefined) keys.push(named);
        return sequence[0].length;
      }
      // The beginning of a sequence waits; what cannot become one is dropped.
      return /^\u001b\[[0-9;:<=>?]{0,32}[ -/]{0,4}$/.test(rest) ? 0 : 2;
    }
    if (next === "O") {
      if (rest.length === 2) return 0;
      const named = ss3Names[rest[2] ?? ""];
      if (named !== undefined) keys.push(key(named));
      return 3;
    }
    if (next === escape) {
      keys.push(key("escape"));
      return 1;
    }
    const point = String.fromCodePoint(rest.codePointAt(1) ?? 0x20);
    const pressed = isPrintable(point.charCodeAt(0))
      ? key(point.toLowerCase(), { shift: point !== point.toLowerCase() })
      : controlKey(point.charCodeAt(0));
    keys.push({ ...pressed, alt: true });
    return 1 + point.length;
  }

  #stepPaste(rest: string, keys: Key[]): number {
    const end = rest.indexOf(pasteEnd);
    if (end >= 0) {
      keys.push({ kind: "paste", text: ((this.#paste ?? "") + rest.slice(0, end)).slice(0, pasteUnitsMax) });
      this.#paste = undefined;
      return end + pasteEnd.length;
    }
    // The end may be cut in two: so much of the chunk stays behind.
    const safe = Math.max(0, rest.length - (pasteEnd.length - 1));
    this.#paste = ((this.#paste ?? "") + rest.slice(0, safe)).slice(0, pasteUnitsMax);
    return safe;
  }
}

type NamedKey = Extract<Key, { kind: "key" }>;

function key(name: KeyName, modifiers: { ctrl?: boolean; alt?: boolean; shift?: boolean } = {}): NamedKey {
  const { ctrl = false, alt = false, shift = false } = modifiers;
  return { kind: "key", name, ctrl, alt, shift };
}

function controlKey(code: number): NamedKey {
  switch (code) {
    case 0x0d:
      return key("enter");
    case 0x0a:
      return key("newline");
    case 0x09:
      return key("tab");
    case 0x08:
    case 0x7f:
      return key("backspace");
    case 0x00:
      return key("space", { ctrl: true });
    case 0x1f:
      return key("_", { ctrl: true });
    default:
      return key(String.fromCharCode(code + 0x60), { ctrl: true });
  }
}

const finalNames: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  Z: "tab",
};
const ss3Names: Readonly<Record<string, string>> = { ...finalNames, M: "enter" };
const tildeNames: Readonly<Record<string, string>> = {
  1: "home",
  2: "insert",
  3: "delete",
  4: "end",
  5: "pageup",
  6: "pagedown",
  7: "home",
  8: "end",
};
const codeNames: Readonly<Record<string, string>> = { 9: "tab", 13: "enter", 27: "escape", 127: "backspace" };

function csiKey(parameters: string, final: string): NamedKey | undefined {
  const [first = "", second = ""] = parameters.split(";");
  const bits = Math.max(0, Number.parseInt(second, 10) - 1 || 0);
  const modifiers = { shift: (bits & 1) !== 0, alt: (bits & 2) !== 0, ctrl: (bits & 4) !== 0 };
  if (final === "Z") return key("tab", { shift: true });
  const name = final === "~" ? tildeNames[first] : final === "u" ? unicodeName(first) : finalNames[final];
  return name === undefined ? undefined : key(name, modifiers);
}

function unicodeName(code: string): string | undefined {
  const point = Number(code);
  return codeNames[code] ?? (point >= 0x20 && point < 0x11_0000 ? String.fromCodePoint(point) : undefined);
}

function isPrintable(code: number): boolean {
  return code >= 0x20 && code !== 0x7f;
}
