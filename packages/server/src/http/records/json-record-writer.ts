import { codecLimits, varintLength, writeVarint } from "@hstream/proto";

/**
 * Turns JSON objects (RFC 8259) straight into records of a batch, without making values of them:
 *
 *   record := 0a length header 12 length struct        header: given, encoded with its tag and length
 *   struct := { 0a length [ 0a length name ] 12 length value }*
 *   value  := 08 00 | 11 double | 1a length text | 20 bool | 2a length struct | 32 length { 0a length value }*
 *
 * A length stands before what it counts, so room is left for it, as much as the last one of its kind
 * needed, and the content is moved in the rare case that it was too little or too much.
 *
 * Integers beyond 2^53 that fit 64 bits become {"$numberLong": "…"}, as SQL stores them. Bytes must be
 * UTF-8; the caller checks that, since it can be done for many lines at once.
 */
export class JsonRecordWriter {
  #target: Buffer;
  #at = 0;
  #records = 0;
  #source: Uint8Array = empty;
  #end = 0;
  #failure: string | undefined;
  #recordRoom = 2;
  #structRoom = 2;

  constructor(bytes: number) {
    this.#target = Buffer.allocUnsafeSlow(bytes);
  }

  get bytes(): number {
    return this.#at;
  }

  get records(): number {
    return this.#records;
  }

  /** What the last `write` failed with. */
  get failure(): string {
    return this.#failure ?? "";
  }

  /**
   * Writes the object that begins at `start` (blanks before it are skipped). Returns the position behind
   * it, or −1 when there is none or it is broken; then nothing is written and `failure` says why.
   */
  write(source: Uint8Array, start: number, end: number, header: Uint8Array): number {
    // Every two bytes of JSON become at most eleven; a short name or number somewhat more.
    this.#reserve((end - start) * 7 + header.length + 64);
    this.#source = source;
    this.#end = end;
    this.#failure = undefined;
    const before = this.#at;
    const target = this.#target;
    target[this.#at++] = 0x0a;
    const recordAt = this.#at;
    this.#at += this.#recordRoom;
    target.set(header, this.#at);
    this.#at += header.length;
    target[this.#at++] = 0x12;
    const structAt = this.#at;
    this.#at += this.#structRoom;
    const position = this.#record(skipBlanks(source, start, end));
    if (position < 0) {
      this.#at = before;
      return -1;
    }
    this.#structRoom = this.#close(structAt, this.#structRoom);
    this.#recordRoom = this.#close(recordAt, this.#recordRoom);
    this.#records += 1;
    return position;
  }

  /** Takes the last record back, which began at `bytes` as they were then. */
  undo(bytes: number): void {
    this.#at = bytes;
    this.#records -= 1;
  }

  /** Everything written; the writer is empty afterwards, with memory of its own. */
  take(): Uint8Array {
    const taken = this.#target.subarray(0, this.#at);
    this.#target = Buffer.allocUnsafeSlow(this.#target.length);
    this.#at = 0;
    this.#records = 0;
    return taken;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#target.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#at + bytes, this.#target.length * 2));
    this.#target.copy(larger, 0, 0, this.#at);
    this.#target = larger;
  }

  /** Puts the length before the content that began `room` bytes behind `lengthAt`; its own length. */
  #close(lengthAt: number, room: number): number {
    const start = lengthAt + room;
    const length = this.#at - start;
    const needed = length < 0x80 ? 1 : varintLength(length);
    if (needed !== room) {
      this.#target.copyWithin(lengthAt + needed, start, this.#at);
      this.#at += needed - room;
    }
    if (needed === 1) this.#target[lengthAt] = length;
    else writeVarint(this.#target, lengthAt, length);
    return needed;
  }

  #fail(reason: string): -1 {
    this.#failure ??= reason;
    return -1;
  }

  #record(at: number): number {
    if (at >= this.#end || this.#source[at] !== brace) return this.#fail("a record is a JSON object");
    return this.#object(at, 1);
  }

  /** From the opening brace on. As all that follow: returns the position behind, or −1. */
  #object(from: number, depth: number): number {
    if (depth > codecLimits.hrecordDepthMax) return this.#fail(tooDeep);
    const source = this.#source;
    const target = this.#target;
    let at = skipBlanks(source, from + 1, this.#end);
    if (source[at] === braceEnd && at < this.#end) return at + 1;
    for (;;) {
      if (at >= this.#end || source[at] !== quote) return this.#fail("a name in quotes is missing");
      target[this.#at++] = 0x0a;
      const entryAt = this.#at++;
      at = this.#string(at, 0x0a);
      if (at < 0) return -1;
      at = skipBlanks(source, at, this.#end);
      if (at >= this.#end || source[at] !== colon) return this.#fail('":" is missing behind a name');
      target[this.#at++] = 0x12;
      at = this.#value(skipBlanks(source, at + 1, this.#end), depth);
      if (at < 0) return -1;
      this.#close(entryAt, 1);
      at = skipBlanks(source, at, this.#end);
      if (at >= this.#end) return this.#fail("an object has no end");
      const next = source[at];
      if (next === braceEnd) return at + 1;
      if (next !== comma) return this.#fail('"," or "}" is missing behind a value');
      at = skipBlanks(source, at + 1, this.#end);
    }
  }

  #array(from: number, depth: number): number {
    if (depth > codecLimits.hrecordDepthMax) return this.#fail(tooDeep);
    const source = this.#source;
    let at = skipBlanks(source, from + 1, this.#end);
    if (source[at] === bracketEnd && at < this.#end) return at + 1;
    for (;;) {
      this.#target[this.#at++] = 0x0a;
      at = this.#value(at, depth);
      if (at < 0) return -1;
      at = skipBlanks(source, at, this.#end);
      if (at >= this.#end) return this.#fail("an array has no end");
      const next = source[at];
      if (next === bracketEnd) return at + 1;
      if (next !== comma) return this.#fail('"," or "]" is missing behind a value');
      at = skipBlanks(source, at + 1, this.#end);
    }
  }

  /** With the length before it; the tag is written. */
  #value(at: number, depth: number): number {
    if (at >= this.#end) return this.#fail("a value is missing");
    const target = this.#target;
    const first = this.#source[at] as number;
    const valueAt = this.#at++;
    let position: number;
    switch (first) {
      case quote:
        position = this.#string(at, 0x1a);
        // An empty text is written too: without it, the value would be a null.
        if (position >= 0 && this.#at === valueAt + 1) {
          target[this.#at++] = 0x1a;
          target[this.#at++] = 0;
        }
        break;
      case brace:
      case bracket: {
        target[this.#at++] = first === brace ? 0x2a : 0x32;
        const contentAt = this.#at++;
        position = first === brace ? this.#object(at, depth + 1) : this.#array(at, depth + 1);
        if (position >= 0) this.#close(contentAt, 1);
        break;
      }
      case 0x74:
        position = this.#word(at, "true", 0x20, 1);
        break;
      case 0x66:
        position = this.#word(at, "false", 0x20, 0);
        break;
      case 0x6e:
        position = this.#word(at, "null", 0x08, 0);
        break;
      default:
        position = this.#number(at);
    }
    if (position >= 0) this.#close(valueAt, 1);
    return position;
  }

  #word(at: number, word: string, tag: number, value: number): number {
    for (let i = 0; i < word.length; i++) {
      if (at + i >= this.#end || this.#source[at + i] !== word.charCodeAt(i)) {
        return this.#fail("a value is no JSON");
      }
    }
    this.#target[this.#at++] = tag;
    this.#target[this.#at++] = value;
    return at + word.length;
  }

  /** Tag, length and text; nothing at all for an empty one. */
  #string(from: number, tag: number): number {
    const source = this.#source;
    const target = this.#target;
    const end = this.#end;
    const tagAt = this.#at;
    let to = tagAt + 2;
    for (let at = from + 1; at < end; at++) {
      const byte = source[at] as number;
      if (byte === quote) {
        if (to === tagAt + 2) return at + 1;
        target[tagAt] = tag;
        this.#at = to;
        this.#close(tagAt + 1, 1);
        return at + 1;
      }
      if (byte === backslash) return this.#escaped(from, tag);
      if (byte < 0x20) return this.#fail("a text has a control character that is not escaped");
      target[to++] = byte;
    }
    return this.#fail("a text has no closing quote");
  }

  /** A text with escapes, which the runtime understands. */
  #escaped(from: number, tag: number): number {
    let at = from + 1;
    for (; at < this.#end && this.#source[at] !== quote; at++) if (this.#source[at] === backslash) at += 1;
    if (at >= this.#end) return this.#fail("a text has no closing quote");
    let text: string;
    try {
      text = JSON.parse(bufferOf(this.#source).toString("utf8", from, at + 1)) as string;
    } catch {
      return this.#fail("a text has a wrong escape or control character");
    }
    if (text === "") return at + 1;
    this.#target[this.#at++] = tag;
    const lengthAt = this.#at++;
    this.#at += this.#target.write(text, this.#at);
    this.#close(lengthAt, 1);
    return at + 1;
  }

  #number(from: number): number {
    const source = this.#source;
    const end = this.#end;
    let at = from;
    const negative = source[at] === minus;
    if (negative) at += 1;
    const digitsAt = at;
    let mantissa = 0;
    for (; at < end && isDigit(source[at] as number); at++)
      mantissa = mantissa * 10 + (source[at] as number) - 48;
    const digits = at - digitsAt;
    if (digits === 0) return this.#fail("a value is no JSON");
    if (digits > 1 && source[digitsAt] === 0x30) return this.#fail("a number begins with 0");
    let fraction = 0;
    if (at < end && source[at] === dot) {
      const dotAt = at++;
      for (; at < end && isDigit(source[at] as number); at++)
        mantissa = mantissa * 10 + (source[at] as number) - 48;
      fraction = at - dotAt - 1;
      if (fraction === 0) return this.#fail("a number has no digits behind its point");
    }
    let exponent = false;
    if (at < end && ((source[at] as number) | 0x20) === 0x65) {
      exponent = true;
      at += 1;
      if (at < end && (source[at] === plus || source[at] === minus)) at += 1;
      const exponentAt = at;
      while (at < end && isDigit(source[at] as number)) at += 1;
      if (at === exponentAt) return this.#fail("a number has no digits in its exponent");
    }
    if (!exponent && digits + fraction <= 15) {
      // Both are exact, so the quotient is the nearest double.
      const value = fraction === 0 ? mantissa : mantissa / (powersOfTen[fraction] as number);
      return this.#double(negative ? -value : value, at);
    }
    const text = bufferOf(source).toString("latin1", from, at);
    const value = Number(text);
    if (!Number.isFinite(value)) return this.#fail("a number is out of range");
    if (fraction === 0 && !exponent && !Number.isSafeInteger(value) && isInt64(text)) {
      return this.#long(text, at);
    }
    return this.#double(value, at);
  }

  #double(value: number, position: number): number {
    this.#target[this.#at] = 0x11;
    this.#at = this.#target.writeDoubleLE(value, this.#at + 1);
    return position;
  }

  /** 2a length 0a length 0a length $numberLong 12 length 1a length digits */
  #long(text: string, position: number): number {
    const name = "$numberLong";
    const value = 2 + text.length;
    const entry = 2 + name.length + 2 + value;
    const head = [0x2a, entry + 2, 0x0a, entry, 0x0a, name.length];
    for (const byte of head) this.#target[this.#at++] = byte;
    this.#at += this.#target.write(name, this.#at, "latin1");
    for (const byte of [0x12, value, 0x1a, text.length]) this.#target[this.#at++] = byte;
    this.#at += this.#target.write(text, this.#at, "latin1");
    return position;
  }
}

const empty = new Uint8Array(0);
const tooDeep = `a record is nested deeper than ${codecLimits.hrecordDepthMax} levels`;
const [quote, backslash, brace, braceEnd, bracket, bracketEnd] = [
  0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d,
] as const;
const [comma, colon, minus, plus, dot] = [0x2c, 0x3a, 0x2d, 0x2b, 0x2e] as const;
const powersOfTen = Array.from({ length: 16 }, (_, power) => 10 ** power);

/** The first position from `at` on that is no blank. */
export function skipBlanks(source: Uint8Array, at: number, end: number): number {
  let position = at;
  for (; position < end; position++) {
    const byte = source[position] as number;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  return position;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isInt64(text: string): boolean {
  if (text.length > 20) return false;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
