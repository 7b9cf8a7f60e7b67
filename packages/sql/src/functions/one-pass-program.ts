/** `next` and `other` are indexes of instructions, `next` preferred. */
export type Instruction =
  /** One byte for which `bytes` has 1, or where its `beyondAscii` has 1 a character beyond ASCII. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly next: number }
  | { readonly kind: "either"; next: number; other: number }
  /** Group `bound >> 1` begins, or ends when it is odd. */
  | { readonly kind: "bound"; readonly bound: number; readonly next: number }
  | { readonly kind: "begin" | "end"; readonly next: number }
  | { readonly kind: "match" };

export interface OnePassProgram {
  readonly instructions: readonly Instruction[];
  /** The instruction to begin with. */
  readonly first: number;
  readonly groupCount: number;
}

type Tree =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "begin" | "end" }
  | { readonly kind: "all" | "one"; readonly parts: readonly Tree[] }
  | { readonly kind: "group"; readonly group: number; readonly part: Tree }
  | { readonly kind: "repeat"; readonly part: Tree; readonly times: string; readonly lazy: boolean };

/** Bytes below it are characters. In a set of bytes it stands for all characters beyond ASCII. */
export const beyondAscii = 128;
/** So that the bounds of all groups, and of the whole match, are bits of one number. */
const groupsMax = 14;

/**
 * The instructions of an expression in RE2's syntax, without flags; undefined for what is not understood here:
 * characters beyond ASCII, counted repetitions, named classes, flags, \b.
 */
export function onePassProgram(pattern: string): OnePassProgram | undefined {
  const parser = new Parser(pattern);
  const tree = parser.parse();
  if (tree === undefined) return undefined;
  const instructions: Instruction[] = [{ kind: "match" }];
  const first = emit(tree, instructions, 0);
  return { instructions, first, groupCount: parser.groupCount };
}

/** Appends a tree's instructions, which go on at `behind`; where they begin. */
function emit(tree: Tree, into: Instruction[], behind: number): number {
  const push = (instruction: Instruction): number => into.push(instruction) - 1;
  switch (tree.kind) {
    case "bytes":
      return push({ kind: "bytes", bytes: tree.bytes, next: behind });
    case "begin":
    case "end":
      return push({ kind: tree.kind, next: behind });
    case "all":
      return tree.parts.reduceRight((next, part) => emit(part, into, next), behind);
    case "one": {
      const [last, ...before] = tree.parts.map((part) => emit(part, into, behind)).toReversed();
      return before.reduce((other, next) => push({ kind: "either", next, other }), last ?? behind);
    }
    case "group": {
      const end = push({ kind: "bound", bound: 2 * tree.group + 1, next: behind });
      return push({ kind: "bound", bound: 2 * tree.group, next: emit(tree.part, into, end) });
    }
    case "repeat": {
      const choice: Extract<Instruction, { kind: "either" }> = {
        kind: "either",
        next: behind,
        other: behind,
      };
      const at = push(choice);
      const part = emit(tree.part, into, tree.times === "?" ? behind : at);
      if (tree.lazy) choice.other = part;
      else choice.next = part;
      return tree.times === "+" ? part : at;
    }
  }
}

class Parser {
  readonly #text: string;
  #at = 0;
  groupCount = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Tree | undefined {
    const tree = this.#choice();
    return this.#at === this.#text.length ? tree : undefined;
  }

  /** The next character, if it is this one. */
  #takes(char: string): boolean {
    const found = this.#text[this.#at] === char;
    if (found) this.#at += 1;
    return found;
  }

  #choice(): Tree | undefined {
    const parts: Tree[] = [];
    do {
      const part = this.#sequence();
      if (part === undefined) return undefined;
      parts.push(part);
    } while (this.#takes("|"));
    return { kind: "one", parts };
  }

  #sequence(): Tree | undefined {
    const parts: Tree[] = [];
    for (let next = this.#text[this.#at]; next !== undefined; next = this.#text[this.#at]) {
      if (next === "|" || next === ")") break;
      const part = this.#repeated();
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return { kind: "all", parts };
  }

  #repeated(): Tree | undefined {
    const part = this.#atom();
    const times = this.#text[this.#at];
    if (part === undefined || (times !== "*" && times !== "+" && times !== "?")) return part;
    this.#at += 1;
    const lazy = this.#takes("?");
    return { kind: "repeat", part, times, lazy };
  }

  #atom(): Tree | undefined {
    const char = this.#text[this.#at++];
    switch (char) {
      case "^":
        return { kind: "begin" };
      case "$":
        return { kind: "end" };
      case "(":
        return this.#group();
      case "[":
        return this.#class();
      case ".":
        return bytesWhere((byte) => byte !== 0x0a, true);
      case "\\":
        return this.#escape();
      case undefined:
      case "*":
      case "+":
      case "?":
      case "{":
      case ")":
        return undefined;
      default:
        return literal(char);
    }
  }

  #group(): Tree | undefined {
    let group = -1;
    if (this.#takes("?")) {
      if (!this.#takes(":")) return undefined;
    } else {
      this.groupCount += 1;
      group = this.groupCount;
      if (group > groupsMax) return undefined;
    }
    const part = this.#choice();
    if (part === undefined || !this.#takes(")")) return undefined;
    return group < 0 ? part : { kind: "group", group, part };
  }

  #escape(): Extract<Tree, { kind: "bytes" }> | undefined {
    const char = this.#text[this.#at++] ?? "";
    const control = controls.get(char);
    if (control !== undefined) return bytesWhere((byte) => byte === control);
    const named = classes.get(char.toLowerCase());
    if (named !== undefined) {
      const wanted = char === char.toLowerCase();
      return bytesWhere((byte) => named.test(String.fromCharCode(byte)) === wanted, !wanted);
    }
    return /^[!-/:-@[-`{-~]$/.test(char) ? literal(char) : undefined;
  }

  #class(): Tree | undefined {
    const isNegated = this.#takes("^");
    const found = new Uint8Array(beyondAscii + 1);
    for (let isFirst = true; isFirst || this.#text[this.#at] !== "]"; isFirst = false) {
      const char = this.#text[this.#at];
      // An unescaped bracket or hyphen in an odd place has rules of its own.
      if (char === undefined || char === "[" || char === "]" || char === "-") return undefined;
      this.#at += 1;
      const low = char === "\\" ? this.#escape() : literal(char);
      if (low === undefined) return undefined;
      if (this.#text[this.#at] !== "-") {
        for (let byte = 0; byte <= beyondAscii; byte++) if (low.bytes[byte] === 1) found[byte] = 1;
        continue;
      }
      this.#at += 1;
      const high = this.#text[this.#at++] ?? "";
      if (!/^[0-9A-Za-z]$/.test(high) || char === "\\" || high < char) return undefined;
      for (let byte = char.charCodeAt(0); byte <= high.charCodeAt(0); byte++) found[byte] = 1;
    }
    this.#at += 1;
    return bytesWhere((byte) => (found[byte] === 1) !== isNegated, (found[beyondAscii] === 1) !== isNegated);
  }
}

const controls: ReadonlyMap<string, number> = new Map([
  ["t", 0x09],
  ["n", 0x0a],
  ["f", 0x0c],
  ["r", 0x0d],
]);
const classes: ReadonlyMap<string, RegExp> = new Map([
  ["d", /[0-9]/],
  ["w", /[0-9A-Za-z_]/],
  ["s", /[\t\n\f\r ]/],
]);

function bytesWhere(test: (byte: number) => boolean, beyond = false): Extract<Tree, { kind: "bytes" }> {
  const bytes = Uint8Array.from({ length: beyondAscii + 1 }, (_, byte) => (test(byte) ? 1 : 0));
  bytes[beyondAscii] = beyond ? 1 : 0;
  return { kind: "bytes", bytes };
}

function literal(char: string): Extract<Tree, { kind: "bytes" }> | undefined {
  const code = char.charCodeAt(0);
  return code < beyondAscii ? bytesWhere((byte) => byte === code) : undefined;
}
