import { assert } from "@hstream/proto";
import { beyondAscii, type Instruction, type OnePassProgram, onePassProgram } from "./one-pass-program.js";

/** A text is looked at so many times at most before it is left to the general engine. */
const stepsPerByte = 4;
const stepsAtLeast = 256;
/** Nodes of one expression; of those that people write few have thirty. */
const nodesMax = 200;
const ascii = beyondAscii;
const prefixLengthMin = 3;
const prefixLengthMax = 100;

/** What may happen at one place of the expression, by the next byte. */
interface Node {
  /** Byte → the next node; -1: none. */
  readonly next: Int16Array;
  /** Byte → the bounds of groups (a bit for each) that lie before it. */
  readonly bounds: Int32Array;
  /** Of a match that ends here: the bounds that lie here; -1: none does. */
  match: number;
  /** The same, where the text ends, too. */
  matchAtEnd: number;
  /** Whether a character beyond ASCII may come. */
  beyond: number;
}

/**
 * A regular expression in which the next byte always says how to go on ("one-pass", after Russ Cox, Regular
 * Expression Matching in the Wild, and RE2's onepass.cc), run over UTF-8 where it lies: a table look-up a byte,
 * groups included. Of expressions that are not of this kind `compile` makes nothing, and of a text that has
 * characters beyond ASCII where they matter `find` says that it does not know: RE2's general engine decides. What
 * it says is what that engine would. The work is linear: a search that tries one stretch too often is given up.
 */
export class OnePass {
  /** Of the last match: 2g and 2g + 1 are where group g begins and ends; -1: it took no part. 0 is the whole. */
  readonly bounds: Int32Array;
  readonly #kept: Int32Array;
  readonly #next: Int16Array;
  readonly #groupBounds: Int32Array;
  readonly #match: Int32Array;
  readonly #matchAtEnd: Int32Array;
  readonly #beyond: Uint8Array;
  /** By byte: whether a match that begins behind the text's beginning may begin with it. */
  readonly #begins: Uint8Array;
  readonly #beginsEmpty: boolean;
  /** What each match behind the text's beginning begins with. */
  readonly #prefix: Uint8Array;
  /** By the byte where the prefix would end: how much further it may end at the earliest. */
  readonly #skip: Uint8Array;
  #steps = 0;

  private constructor(nodes: readonly Node[], groupCount: number) {
    this.bounds = new Int32Array(2 * (groupCount + 1));
    this.#kept = new Int32Array(this.bounds.length);
    this.#next = new Int16Array(nodes.length * ascii);
    this.#groupBounds = new Int32Array(nodes.length * ascii);
    for (const [i, { next, bounds }] of nodes.entries()) {
      this.#next.set(next, i * ascii);
      this.#groupBounds.set(bounds, i * ascii);
    }
    this.#match = Int32Array.from(nodes, ({ match }) => match);
    this.#matchAtEnd = Int32Array.from(nodes, ({ matchAtEnd }) => matchAtEnd);
    this.#beyond = Uint8Array.from(nodes, ({ beyond }) => beyond);
    const later = nodes[laterNode];
    this.#begins = new Uint8Array(256).fill(later?.beyond ?? 0);
    for (let byte = 0; byte < ascii; byte++) this.#begins[byte] = later?.next[byte] === -1 ? 0 : 1;
    this.#beginsEmpty = later !== undefined && later.matchAtEnd >= 0;
    this.#prefix = prefixOf(nodes);
    const { length } = this.#prefix;
    this.#skip = new Uint8Array(256).fill(length);
    for (let i = 0; i < length - 1; i++) this.#skip[this.#prefix[i] as number] = length - 1 - i;
  }

  /** Undefined for what is not one-pass, or not understood here. */
  static compile(pattern: string): OnePass | undefined {
    const program = onePassProgram(pattern);
    if (program === undefined) return undefined;
    const nodes = nodesOf(program);
    return nodes && new OnePass(nodes, program.groupCount);
  }

  get groupCount(): number {
    return this.bounds.length / 2 - 1;
  }

  /** Looks for the first match in bytes[start, end); undefined: the general engine is to say. */
  find(bytes: Uint8Array, start: number, end: number): boolean | undefined {
    this.#steps = stepsAtLeast + (end - start) * stepsPerByte;
    const atBegin = this.#run(bytes, start, end, beginNode);
    if (atBegin !== false) return atBegin;
    if (this.#prefix.length >= prefixLengthMin) return this.#findPrefixed(bytes, start, end);
    const begins = this.#begins;
    const empty = this.#beginsEmpty;
    for (let at = start + 1; at < end; at++) {
      if (begins[bytes[at] as number] === 0 && !empty) continue;
      const found = this.#run(bytes, at, end, laterNode);
      if (found !== false) return found;
    }
    return empty && end > start ? this.#run(bytes, end, end, laterNode) : false;
  }

  /** Behind the beginning: goes from one place where the prefix may end to the next (Horspool). */
  #findPrefixed(bytes: Uint8Array, start: number, end: number): boolean | undefined {
    const skip = this.#skip;
    const prefix = this.#prefix;
    const last = (prefix.length - 1) | 0;
    const final = prefix[last] as number;
    for (let at = (start + 1 + last) | 0; at < end; ) {
      const byte = bytes[at] as number;
      if (byte === final && bytes[at - last] === prefix[0]) {
        const found = this.#run(bytes, (at - last) | 0, end, laterNode);
        if (found !== false) return found;
      }
      at = (at + (skip[byte] as number)) | 0;
    }
    return false;
  }

  /** Whether a match begins at `start`. */
  #run(bytes: Uint8Array, start: number, end: number, from: number): boolean | undefined {
    const next = this.#next;
    const match = this.#match;
    const { bounds } = this;
    bounds.fill(-1);
    let keptEnd = -1;
    let node = from;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte >= ascii) {
        if (this.#beyond[node] === 1) return undefined;
        break;
      }
      const step = node * ascii + byte;
      const to = next[step] as number;
      if (to < 0) break;
      const passed = this.#groupBounds[step] as number;
      const here = match[node] as number;
      if (here >= 0 && (passed !== 0 || (match[to] as number) < 0)) {
        this.#kept.set(bounds);
        setBounds(this.#kept, here, at);
        keptEnd = at;
      }
      if (passed !== 0) setBounds(bounds, passed, at);
      node = to;
    }
    this.#steps -= at - start;
    const reached = (at === end ? this.#matchAtEnd : match)[node] as number;
    if (reached >= 0) {
      setBounds(bounds, reached, at);
      keptEnd = at;
    } else if (keptEnd >= 0) bounds.set(this.#kept);
    // The longer a stretch is tried in vain, the less often it may be.
    else return this.#steps < 0 ? undefined : false;
    bounds[0] = start;
    bounds[1] = keptEnd;
    return true;
  }
}

const beginNode = 0;
const laterNode = 1;

/** The bytes that come one after the other without a choice. */
function prefixOf(nodes: readonly Node[]): Uint8Array {
  const prefix: number[] = [];
  for (let node = nodes[laterNode]; prefix.length < prefixLengthMax; ) {
    if (node === undefined || node.matchAtEnd >= 0 || node.beyond === 1) break;
    const byte = node.next.findIndex((to) => to >= 0);
    if (byte < 0 || node.next.findLastIndex((to) => to >= 0) !== byte) break;
    prefix.push(byte);
    node = nodes[node.next[byte] as number];
  }
  return Uint8Array.from(prefix);
}

function setBounds(bounds: Int32Array, which: number, at: number): void {
  for (let bits = which, i = 0; bits !== 0; bits >>>= 1, i++) if ((bits & 1) !== 0) bounds[i] = at;
}

/** Follows the instructions from both beginnings; undefined when somewhere a byte leaves a choice. */
function nodesOf({ instructions, first }: OnePassProgram): Node[] | undefined {
  const nodes: Node[] = [];
  /** Instruction → the node that stands before it, behind at least one byte. */
  const known = new Map<number, number>();
  const waiting: { instruction: number; isBegin: boolean }[] = [
    { instruction: first, isBegin: true },
    { instruction: first, isBegin: false },
  ];
  let count = waiting.length;
  const nodeAt = (instruction: number): number => {
    const found = known.get(instruction);
    if (found !== undefined) return found;
    known.set(instruction, count);
    waiting.push({ instruction, isBegin: false });
    return count++;
  };
  for (let place = waiting.shift(); place !== undefined; place = waiting.shift()) {
    const node = nodeOf(instructions, place.instruction, place.isBegin, nodeAt);
    if (node === undefined || count > nodesMax) return undefined;
    nodes.push(node);
  }
  assert(nodes.length === count, "nodes are made in the order of their numbers");
  return nodes;
}

interface Path {
  readonly at: number;
  readonly bounds: number;
  /** Whether it goes on only where the text ends. */
  readonly needsEnd: boolean;
}

/** Where the ways without a byte lead, the preferred ones first. */
function nodeOf(
  instructions: readonly Instruction[],
  from: number,
  isBegin: boolean,
  nodeAt: (instruction: number) => number,
): Node | undefined {
  const next = new Int16Array(ascii).fill(-1);
  const node: Node = { next, bounds: new Int32Array(ascii), match: -1, matchAtEnd: -1, beyond: 0 };
  const seen = new Set<number>();
  const paths: Path[] = [{ at: from, bounds: 0, needsEnd: false }];
  for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
    const { at, bounds, needsEnd } = path;
    const instruction = instructions[at];
    // Twice at one place without a byte in between: a choice, or a loop.
    if (instruction === undefined || seen.has(at)) return undefined;
    seen.add(at);
    switch (instruction.kind) {
      case "bytes": {
        if (needsEnd) break;
        const to = nodeAt(instruction.next);
        for (let byte = 0; byte < ascii; byte++) {
          if (instruction.bytes[byte] === 0) continue;
          if (node.next[byte] !== -1) return undefined;
          node.next[byte] = to;
          node.bounds[byte] = bounds;
        }
        if (instruction.bytes[beyondAscii] === 1) node.beyond = 1;
        break;
      }
      case "either":
        paths.push({ ...path, at: instruction.other }, { ...path, at: instruction.next });
        break;
      case "bound":
        paths.push({ at: instruction.next, bounds: bounds | (1 << instruction.bound), needsEnd });
        break;
      case "begin":
        if (isBegin) paths.push({ ...path, at: instruction.next });
        break;
      case "end":
        paths.push({ ...path, at: instruction.next, needsEnd: true });
        break;
      case "match":
        if (node.matchAtEnd < 0) node.matchAtEnd = bounds;
        if (needsEnd) break;
        node.match = bounds;
        // What is less preferred does not count any more.
        return node;
    }
  }
  return node;
}
