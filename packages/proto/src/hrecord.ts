import { assert, must } from "./assert.js";
import { codecLimits } from "./limits.js";
import type { Malformed } from "./malformed.js";
import { asBuffer, readUtf8, utf8Length, writeUtf8 } from "./utf8.js";
import { varintLength, writeVarint } from "./varint.js";
import { WireCursor } from "./wire-cursor.js";

/**
 * HRecord, the payload of a JSON record: an encoded google.protobuf.Struct.
 *
 *   struct := { 0a length entry }*                entry := [ 0a length name ] [ 12 length value ]
 *   value  := 08 00           null                list  := { 0a length value }*
 *           | 11 8 bytes      number
 *           | 1a length text  string
 *           | 20 (00 | 01)    boolean
 *           | 2a length struct
 *           | 32 length list
 *
 * A value with nothing in it, and a missing one, is null. Of a name that comes twice the last value counts.
 * Objects are Maps, so that a field may be called `__proto__`; the order of fields is kept.
 */
export type HValue = null | boolean | number | string | readonly HValue[] | HObject;
export type HObject = Map<string, HValue>;

/** What can be encoded: objects may also be plain ones, of which the own enumerable fields count. */
export type HInput = null | boolean | number | string | readonly HInput[] | HInputObject;
export type HInputObject = ReadonlyMap<string, HInput> | { readonly [name: string]: HInput };

/** A value that has no place in an HRecord, or lies too deep. */
export interface Unencodable {
  readonly kind: "unencodable";
  readonly reason: string;
}

const entryTag = 0x0a;
const itemTag = 0x0a;
const entryField = { name: 0x0a, value: 0x12 } as const;
const valueField = {
  null: 0x08,
  number: 0x11,
  string: 0x1a,
  boolean: 0x20,
  struct: 0x2a,
  list: 0x32,
} as const;
const tooDeep = `an HRecord is nested deeper than ${codecLimits.hrecordDepthMax} levels`;

/** Reads an HRecord from `bytes`, or from a part of it. */
export function decodeHRecord(bytes: Uint8Array, start = 0, end = bytes.length): HObject | Malformed {
  const cursor = new WireCursor(bytes, start, end);
  const record = readStruct(cursor, asBuffer(bytes), 1);
  return cursor.failure ?? record;
}

/** Encodes an HRecord; a short one into memory that it shares with others, as Buffers do. */
export function encodeHRecord(record: HInputObject): Uint8Array | Unencodable {
  const plan: Plan = { lengths: [], failure: undefined };
  const length = planStruct(plan, record, 1);
  if (plan.failure !== undefined) return { kind: "unencodable", reason: plan.failure };
  const target = Buffer.allocUnsafe(length);
  const writer = new PlannedWriter(target, plan.lengths);
  writer.struct(record);
  assert(writer.at === length, "an HRecord is as long as was reckoned");
  return target;
}

// --- decoding; the depth limit keeps the recursion small ---

function readStruct(cursor: WireCursor, buffer: Buffer, depth: number): HObject {
  const fields: HObject = new Map();
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag !== entryTag) {
      cursor.skip(tag);
      continue;
    }
    const outer = cursor.enter();
    let name = "";
    let value: HValue = null;
    for (let field = cursor.tag(); field !== 0; field = cursor.tag()) {
      if (field === entryField.name) name = readUtf8(buffer, cursor.span(), cursor.position);
      else if (field === entryField.value) value = readValue(cursor, buffer, depth);
      else cursor.skip(field);
    }
    cursor.leave(outer);
    fields.set(name, value);
  }
  return fields;
}

function readList(cursor: WireCursor, buffer: Buffer, depth: number): HValue[] {
  const items: HValue[] = [];
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === itemTag) items.push(readValue(cursor, buffer, depth));
    else cursor.skip(tag);
  }
  return items;
}

function readValue(cursor: WireCursor, buffer: Buffer, depth: number): HValue {
  const outer = cursor.enter();
  let value: HValue = null;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    switch (tag) {
      case valueField.null:
        cursor.uint32();
        value = null;
        break;
      case valueField.number:
        value = cursor.double(buffer);
        break;
      case valueField.string:
        value = readUtf8(buffer, cursor.span(), cursor.position);
        break;
      case valueField.boolean:
        value = cursor.uint64() !== 0;
        break;
      case valueField.struct:
      case valueField.list: {
        if (depth === codecLimits.hrecordDepthMax) {
          cursor.fail(tooDeep);
          break;
        }
        const within = cursor.enter();
        value =
          tag === valueField.struct
            ? readStruct(cursor, buffer, depth + 1)
            : readList(cursor, buffer, depth + 1);
        cursor.leave(within);
        break;
      }
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return value;
}

// --- encoding: a first pass reckons the lengths, in the order in which the second pass writes them ---

interface Plan {
  readonly lengths: number[];
  failure: string | undefined;
}

function planStruct(plan: Plan, object: HInputObject, depth: number): number {
  let length = 0;
  if (isMap(object)) for (const [name, value] of object) length += planEntry(plan, name, value, depth);
  else for (const name of Object.keys(object)) length += planEntry(plan, name, object[name], depth);
  return length;
}

function planEntry(plan: Plan, name: string, value: HInput | undefined, depth: number): number {
  const slot = plan.lengths.push(0, 0) - 2;
  const nameLength = utf8Length(name);
  const length = (name === "" ? 0 : delimitedLength(nameLength)) + planValue(plan, value, depth);
  plan.lengths[slot] = length;
  plan.lengths[slot + 1] = nameLength;
  return delimitedLength(length);
}

/** The length of the value with its tag and own length. */
function planValue(plan: Plan, value: HInput | undefined, depth: number): number {
  const slot = plan.lengths.push(0) - 1;
  const length = planContent(plan, value, depth);
  plan.lengths[slot] = length;
  return delimitedLength(length);
}

function planContent(plan: Plan, value: HInput | undefined, depth: number): number {
  // Nothing more is visited after a failure, or a circle could be walked in very many ways.
  if (plan.failure !== undefined) return 0;
  if (value === null || typeof value === "boolean") return 2;
  if (typeof value === "number") return 9;
  if (typeof value !== "string" && typeof value !== "object") {
    plan.failure ??= `a value of type ${typeof value} has no place in an HRecord`;
    return 0;
  }
  const slot = plan.lengths.push(0) - 1;
  let length = 0;
  if (typeof value === "string") length = utf8Length(value);
  else if (depth === codecLimits.hrecordDepthMax) plan.failure ??= tooDeep;
  else if (isList(value)) for (const item of value) length += planValue(plan, item, depth + 1);
  else length = planStruct(plan, value, depth + 1);
  plan.lengths[slot] = length;
  return delimitedLength(length);
}

class PlannedWriter {
  at = 0;
  readonly #target: Buffer;
  readonly #lengths: readonly number[];
  #next = 0;

  constructor(target: Buffer, lengths: readonly number[]) {
    this.#target = target;
    this.#lengths = lengths;
  }

  struct(object: HInputObject): void {
    if (isMap(object)) for (const [name, value] of object) this.#entry(name, value);
    else for (const name of Object.keys(object)) this.#entry(name, object[name]);
  }

  #entry(name: string, value: HInput | undefined): void {
    this.#delimited(entryTag, this.#length());
    const nameLength = this.#length();
    if (name !== "") {
      this.#delimited(entryField.name, nameLength);
      this.at = writeUtf8(this.#target, this.at, name, nameLength);
    }
    this.#value(entryField.value, value);
  }

  #value(tag: number, value: HInput | undefined): void {
    this.#delimited(tag, this.#length());
    if (value === null) this.#pair(valueField.null, 0);
    else if (typeof value === "boolean") this.#pair(valueField.boolean, value ? 1 : 0);
    else if (typeof value === "number") {
      this.#target[this.at] = valueField.number;
      this.at = this.#target.writeDoubleLE(value, this.at + 1);
    } else if (typeof value === "string") {
      const length = this.#length();
      this.#delimited(valueField.string, length);
      this.at = writeUtf8(this.#target, this.at, value, length);
    } else if (isList(value)) {
      this.#delimited(valueField.list, this.#length());
      for (const item of value) this.#value(itemTag, item);
    } else {
      this.#delimited(valueField.struct, this.#length());
      this.struct(must(value, "undefined was refused when the lengths were reckoned"));
    }
  }

  #pair(tag: number, value: number): void {
    this.#target[this.at++] = tag;
    this.#target[this.at++] = value;
  }

  #delimited(tag: number, length: number): void {
    this.#target[this.at] = tag;
    this.at = writeVarint(this.#target, this.at + 1, length);
  }

  #length(): number {
    return must(this.#lengths[this.#next++], "both passes visit the same values");
  }
}

function delimitedLength(length: number): number {
  return 1 + varintLength(length) + length;
}

function isMap(object: HInputObject): object is ReadonlyMap<string, HInput> {
  return object instanceof Map;
}

function isList(value: HInput | undefined): value is readonly HInput[] {
  return Array.isArray(value);
}
