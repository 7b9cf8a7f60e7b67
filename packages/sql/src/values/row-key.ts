import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { sortedFields, typeRank } from "./compare.js";
import {
  decimal,
  doubleBits,
  doubleFromBits,
  exactDecimal,
  integer,
  type SqlNumber,
  toFloat,
} from "./numbers.js";
import { valueKind } from "./value-kind.js";

/**
 * The exact identity of a row: the keys of its values one after another.
 *
 *   value   rank byte (typeRank in compare.ts), then
 *     null        nothing
 *     boolean     00 | 01
 *     number      the greatest double that is not above it, 8 bytes, sign bit flipped (all bits if
 *                 negative); then 00 when that is the number, or
 *                 01 (exponent of the rest + 0x8000, 2 bytes) (its decimal digits + 1) 00
 *     string      UTF-8 with 00 as 00 FF, then 00 01; bytea likewise
 *     date        days as a number's 8 bytes; time, timestamp: ms likewise
 *     interval    length in ms, then months, 8 bytes each
 *     array       01 value … 00
 *     object      01 string value … 00, fields by name
 *
 * Bytes order as compareTotal orders, and values that it calls equal have equal bytes: 1, 1.0 and DECIMAL 1
 * are one key. So reading a key back gives an equal value; a type hint chooses the form of numbers.
 * Strings are well-formed Unicode.
 */
export function encodeRowKey(values: readonly SqlValue[]): Uint8Array {
  return Uint8Array.from(writeRow(values).bytes());
}

/** The same bytes as a text of one character each, to be a key of a Map. */
export function rowKeyText(values: readonly SqlValue[]): string {
  return writeRow(values).bytes().toString("latin1");
}

function writeRow(values: readonly SqlValue[]): KeyWriter {
  writer.reset();
  for (const value of values) writer.value(value);
  return writer;
}

/** The values of a key that encodeRowKey made. `types`: of the columns, for the form of numbers. */
export function decodeRowKey(key: Uint8Array, types: readonly SqlType[] = []): SqlValue[] {
  const reader = new KeyReader(key);
  const values: SqlValue[] = [];
  while (!reader.atEnd()) values.push(reader.value(types[values.length]));
  return values;
}

const utf8 = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const signBit = 1n << 63n;
const allBits = (1n << 64n) - 1n;

const keptBytesMax = 65_536;

class KeyWriter {
  #buffer = Buffer.allocUnsafe(256);
  #length = 0;

  reset(): void {
    this.#length = 0;
    // One huge row must not hold its memory for ever.
    if (this.#buffer.length > keptBytesMax) this.#buffer = Buffer.allocUnsafe(256);
  }

  /** Valid until the next row. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + count));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = byte;
  }

  value(value: SqlValue): void {
    this.#byte(typeRank[valueKind(value)]);
    if (value === null) return;
    switch (typeof value) {
      case "boolean":
        return this.#byte(value ? 1 : 0);
      case "string":
        return this.#text(value);
      case "number":
      case "bigint":
        return this.#number(value);
      default:
        break;
    }
    if (value instanceof Uint8Array) return this.#escaped(value);
    if (value instanceof Map) return this.#object(value);
    if (!("kind" in value)) return this.#array(value as readonly SqlValue[]);
    if (value.kind === "decimal") return this.#number(value);
    if (value.kind === "date") return this.#double(value.days);
    if (value.kind !== "interval") return this.#double(value.ms);
    this.#double(value.months * 2_592_000_000 + value.ms);
    this.#double(value.months);
  }

  #array(elements: readonly SqlValue[]): void {
    for (const element of elements) {
      this.#byte(1);
      this.value(element);
    }
    this.#byte(0);
  }

  #object(value: ReadonlyMap<string, SqlValue>): void {
    for (const [name, field] of sortedFields(value)) {
      this.#byte(1);
      this.#text(name);
      this.value(field);
    }
    this.#byte(0);
  }

  /** Mostly short and ASCII, so without an encoder while it is. */
  #text(text: string): void {
    this.#reserve(text.length + 2);
    const start = this.#length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code > 0x7f) {
        this.#length = start;
        return this.#escaped(utf8.encode(text));
      }
      this.#buffer[this.#length++] = code;
    }
    this.#buffer[this.#length++] = 0;
    this.#buffer[this.#length++] = 1;
  }

  #escaped(bytes: Uint8Array): void {
    this.#reserve(bytes.length * 2 + 2);
    for (const byte of bytes) {
      this.#buffer[this.#length++] = byte;
      if (byte === 0) this.#buffer[this.#length++] = 0xff;
    }
    this.#buffer[this.#length++] = 0;
    this.#buffer[this.#length++] = 1;
  }

  #double(value: number): void {
    this.#reserve(9);
    const start = this.#length;
    // -0 is 0.
    this.#buffer.writeDoubleBE(value + 0, start);
    const first = this.#buffer[start] ?? 0;
    if (first < 0x80) this.#buffer[start] = first | 0x80;
    else for (let i = start; i < start + 8; i++) this.#buffer[i] = ~(this.#buffer[i] ?? 0);
    this.#length = start + 8;
  }

  #number(value: SqlNumber): void {
    if (typeof value === "number") {
      this.#double(value);
      return this.#byte(0);
    }
    const exact = exactDecimal(value);
    let floor = Math.max(Math.min(toFloat(value), Number.MAX_VALUE), -Number.MAX_VALUE);
    let rest = difference(exact, floor);
    if (rest.unscaled < 0n) {
      floor = nextBelow(floor);
      rest = difference(exact, floor);
    }
    this.#double(floor);
    if (rest.unscaled === 0n) return this.#byte(0);
    const digits = rest.unscaled.toString();
    const exponent = digits.length - rest.scale + 0x8000;
    this.#byte(1);
    this.#byte(exponent >> 8);
    this.#byte(exponent & 0xff);
    for (const digit of digits.replace(/0+$/, "")) this.#byte(digit.charCodeAt(0) - 47);
    this.#byte(0);
  }
}

/** One for all: encoding is synchronous and starts afresh each time. */
const writer = new KeyWriter();

function difference(
  exact: { unscaled: bigint; scale: number },
  double: number,
): { unscaled: bigint; scale: number } {
  const other = exactDecimal(double);
  const scale = Math.max(exact.scale, other.scale);
  const unscaled =
    exact.unscaled * 10n ** BigInt(scale - exact.scale) - other.unscaled * 10n ** BigInt(scale - other.scale);
  return { unscaled, scale };
}

function nextBelow(double: number): number {
  if (double === 0) return -Number.MIN_VALUE;
  const bits = doubleBits(double);
  return doubleFromBits(double > 0 ? bits - 1n : bits + 1n);
}

class KeyReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  #byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  value(type?: SqlType): SqlValue {
    const rank = this.#byte();
    switch (rank) {
      case typeRank.null:
        return null;
      case typeRank.boolean:
        return this.#byte() === 1;
      case typeRank.string:
        return utf8Decoder.decode(this.#escaped());
      case typeRank.bytea:
        return this.#escaped();
      case typeRank.date:
        return { kind: "date", days: this.#double() };
      case typeRank.time:
        return { kind: "time", ms: this.#double() };
      case typeRank.timestamp:
        return { kind: "timestamp", ms: this.#double() };
      case typeRank.interval: {
        const length = this.#double();
        const months = this.#double();
        return { kind: "interval", months, ms: length - months * 2_592_000_000 };
      }
      case typeRank.array: {
        const elements: SqlValue[] = [];
        while (this.#byte() === 1)
          elements.push(this.value(type?.kind === "array" ? type.element : undefined));
        return elements;
      }
      case typeRank.jsonb: {
        const fields = new Map<string, SqlValue>();
        while (this.#byte() === 1) {
          const name = utf8Decoder.decode(this.#escaped());
          fields.set(name, this.value());
        }
        return fields;
      }
      default:
        return this.#number(type);
    }
  }

  #escaped(): Uint8Array {
    const bytes: number[] = [];
    for (;;) {
      const byte = this.#byte();
      if (byte === 0 && this.#byte() !== 0xff) return Uint8Array.from(bytes);
      bytes.push(byte);
    }
  }

  #double(): number {
    const bits = this.#bytes.readBigUInt64BE(this.#at);
    this.#at += 8;
    return doubleFromBits(bits & signBit ? bits ^ signBit : bits ^ allBits);
  }

  #number(type: SqlType | undefined): SqlValue {
    const double = this.#double();
    const base = exactDecimal(double);
    let exact = base;
    if (this.#byte() === 1) {
      const exponent = this.#byte() * 256 + this.#byte() - 0x8000;
      let digits = "";
      for (let byte = this.#byte(); byte !== 0; byte = this.#byte()) digits += String(byte - 1);
      const scale = digits.length - exponent;
      const restUnscaled = scale >= 0 ? BigInt(digits) : BigInt(digits) * 10n ** BigInt(-scale);
      const restScale = Math.max(scale, 0);
      const common = Math.max(restScale, base.scale);
      exact = {
        unscaled:
          base.unscaled * 10n ** BigInt(common - base.scale) +
          restUnscaled * 10n ** BigInt(common - restScale),
        scale: common,
      };
    } else if (type?.kind === "float") return double;
    if (type?.kind === "decimal") return decimal(exact.unscaled, exact.scale);
    const canonical = decimal(exact.unscaled, exact.scale);
    if (canonical === null) return double;
    if (canonical.scale === 0) return integer(canonical.unscaled) ?? (exact === base ? double : canonical);
    return exact === base ? double : canonical;
  }
}
