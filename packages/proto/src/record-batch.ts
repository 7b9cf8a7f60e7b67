import { assert } from "./assert.js";
import { asBuffer, readUtf8, utf8Length, writeUtf8 } from "./utf8.js";
import type { Malformed } from "./malformed.js";
import { varintLength, writeVarint } from "./varint.js";
import { WireCursor } from "./wire-cursor.js";

/**
 * BatchHStreamRecords, the payload of an uncompressed BatchedRecord:
 *
 *   batch     := { 0a length record }*
 *   record    := [ 0a length header ] [ 12 length payload ]
 *   header    := [ 08 flag ] { 12 length attribute }* [ 1a length key ]
 *   attribute := [ 0a length name ] [ 12 length value ]
 *
 * As protobuf has it: fields come in any order; unknown ones, and known ones of another wire type, are
 * passed over; of a repeated single field the last counts; repeated headers merge.
 */
export interface RecordParts {
  /** HStreamRecordHeader_Flag: 0 JSON, 1 RAW. */
  readonly flag: number;
  /** Decides the shard; mostly empty. */
  readonly key: string;
  readonly attributes?: ReadonlyMap<string, string>;
  readonly payload: Uint8Array;
}

const recordTag = 0x0a;
const headerTag = 0x0a;
const payloadTag = 0x12;
const headerField = { flag: 0x08, attribute: 0x12, key: 0x1a } as const;
const attributeField = { name: 0x0a, value: 0x12 } as const;

/** Encodes records into one new buffer. Every record gets a header, if only an empty one. */
export function encodeRecordBatch(records: readonly RecordParts[]): Uint8Array {
  let length = 0;
  for (const record of records) length += delimitedLength(recordLength(record, headerLength(record)));
  const target = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const record of records) {
    const header = headerLength(record);
    at = writeLength(target, at, recordTag, recordLength(record, header));
    at = writeLength(target, at, headerTag, header);
    if (header !== 0) at = writeHeader(target, at, record);
    if (record.payload.length !== 0) {
      at = writeLength(target, at, payloadTag, record.payload.length);
      target.set(record.payload, at);
      at += record.payload.length;
    }
  }
  assert(at === length, "a batch is as long as was reckoned");
  return target;
}

/** Checks the framing down to the attributes, and counts; nothing is decoded. */
export function walkRecordBatch(
  bytes: Uint8Array,
): { readonly kind: "records"; readonly count: number } | Malformed {
  const reader = new RecordBatchReader(bytes);
  let count = 0;
  while (reader.next()) count += 1;
  return reader.failure ?? { kind: "records", count };
}

/**
 * Goes through the records of a batch without making an object for any of them:
 *
 *     const reader = new RecordBatchReader(bytes);
 *     while (reader.next()) use(reader.flag, reader.payloadStart, reader.payloadEnd);
 *     if (reader.failure !== null) …
 *
 * The properties describe the record that `next` came to, and positions are those in `bytes`.
 */
export class RecordBatchReader {
  readonly bytes: Uint8Array;
  /** HStreamRecordHeader_Flag, or any other number that a client sent. */
  flag = 0;
  /** Whether there is a header at all; an empty one is one. */
  hasHeader = false;
  keyStart = 0;
  keyEnd = 0;
  /** Attributes on the wire; a repeated name counts each time. */
  attributeCount = 0;
  payloadStart = 0;
  payloadEnd = 0;
  readonly #cursor: WireCursor;
  readonly #buffer: Buffer;
  #recordStart = 0;
  #recordEnd = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#buffer = asBuffer(bytes);
    this.#cursor = new WireCursor(bytes);
  }

  /** Set once `next` has come upon malformed bytes. */
  get failure(): Malformed | null {
    return this.#cursor.failure;
  }

  /** Goes to the next record; false behind the last one and at malformed bytes. */
  next(): boolean {
    const cursor = this.#cursor;
    if (this.#nextPlain(cursor)) return true;
    for (let field = cursor.tag(); field !== 0; field = cursor.tag()) {
      if (field !== recordTag) {
        cursor.skip(field);
        continue;
      }
      const outer = cursor.enter();
      this.#readRecord(cursor);
      cursor.leave(outer);
      return cursor.failure === null;
    }
    return false;
  }

  /** A view of the record's payload. */
  payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.payloadEnd);
  }

  key(): string {
    return readUtf8(this.#buffer, this.keyStart, this.keyEnd);
  }

  /** Decodes the attributes anew at each call. */
  attributes(): Map<string, string> {
    const found = new Map<string, string>();
    if (this.attributeCount === 0) return found;
    const cursor = new WireCursor(this.bytes, this.#recordStart, this.#recordEnd);
    for (let field = cursor.tag(); field !== 0; field = cursor.tag()) {
      if (field !== headerTag) {
        cursor.skip(field);
        continue;
      }
      const outer = cursor.enter();
      for (let part = cursor.tag(); part !== 0; part = cursor.tag()) {
        if (part === headerField.attribute) readAttribute(cursor, this.#buffer, found);
        else cursor.skip(part);
      }
      cursor.leave(outer);
    }
    assert(cursor.failure === null, "attributes are read from bytes that were walked before");
    return found;
  }

  /** All of the record as values of their own, except for the payload, which is a view. */
  record(): RecordParts {
    return { flag: this.flag, key: this.key(), attributes: this.attributes(), payload: this.payload() };
  }

  /**
   * Goes to the next record if it is one as most are, without flag, key and attributes, and below 16 KiB:
   *
   *   0a length 0a 00 12 length payload
   *
   * False, and nothing has happened, if it is another.
   */
  #nextPlain(cursor: WireCursor): boolean {
    const { bytes } = this;
    let at = cursor.position;
    // Bytes behind the end are undefined, and equal nothing.
    if (bytes[at] !== recordTag) return false;
    let length = bytes[at + 1] as number;
    at += 2;
    if (length > 0x7f) length = longLength(length, bytes[at++] as number);
    const end = at + length;
    if (bytes[at] !== headerTag || bytes[at + 1] !== 0 || bytes[at + 2] !== payloadTag) return false;
    let payloadLength = bytes[at + 3] as number;
    let payloadStart = at + 4;
    if (payloadLength > 0x7f) payloadLength = longLength(payloadLength, bytes[payloadStart++] as number);
    if (payloadStart + payloadLength !== end || end > cursor.end) return false;
    this.#recordStart = at;
    this.#recordEnd = end;
    this.flag = 0;
    this.hasHeader = true;
    this.attributeCount = 0;
    this.keyStart = this.keyEnd = at;
    this.payloadStart = payloadStart;
    this.payloadEnd = end;
    cursor.position = end;
    return true;
  }

  #readRecord(cursor: WireCursor): void {
    this.#recordStart = cursor.position;
    this.#recordEnd = cursor.end;
    this.flag = 0;
    this.hasHeader = false;
    this.attributeCount = 0;
    this.keyStart = this.keyEnd = this.payloadStart = this.payloadEnd = cursor.position;
    for (let field = cursor.tag(); field !== 0; field = cursor.tag()) {
      if (field === headerTag) {
        this.hasHeader = true;
        const outer = cursor.enter();
        this.#readHeader(cursor);
        cursor.leave(outer);
      } else if (field === payloadTag) {
        this.payloadStart = cursor.span();
        this.payloadEnd = cursor.position;
      } else cursor.skip(field);
    }
  }

  #readHeader(cursor: WireCursor): void {
    for (let field = cursor.tag(); field !== 0; field = cursor.tag()) {
      if (field === headerField.flag) this.flag = cursor.uint32() | 0;
      else if (field === headerField.key) {
        this.keyStart = cursor.span();
        this.keyEnd = cursor.position;
      } else if (field === headerField.attribute) {
        this.attributeCount += 1;
        const outer = cursor.enter();
        for (let part = cursor.tag(); part !== 0; part = cursor.tag()) cursor.skip(part);
        cursor.leave(outer);
      } else cursor.skip(field);
    }
  }
}

function readAttribute(cursor: WireCursor, buffer: Buffer, found: Map<string, string>): void {
  const outer = cursor.enter();
  let name = "";
  let value = "";
  for (let field = cursor.tag(); field !== 0; field = cursor.tag()) {
    if (field === attributeField.name) name = readUtf8(buffer, cursor.span(), cursor.position);
    else if (field === attributeField.value) value = readUtf8(buffer, cursor.span(), cursor.position);
    else cursor.skip(field);
  }
  cursor.leave(outer);
  found.set(name, value);
}

/** A length in two bytes; NaN, which equals nothing, when it has more. */
function longLength(low: number, high: number): number {
  return high > 0x7f ? Number.NaN : (low & 0x7f) | (high << 7);
}

/** Of a value with its length and a tag of one byte. */
function delimitedLength(length: number): number {
  return 1 + varintLength(length) + length;
}

function textLength(text: string): number {
  return text === "" ? 0 : delimitedLength(utf8Length(text));
}

function headerLength({ flag, key, attributes }: RecordParts): number {
  assert((flag & 0x7f) === flag, "a flag is a small number");
  let length = (flag === 0 ? 0 : 2) + textLength(key);
  if (attributes !== undefined && attributes.size > 0) {
    for (const [name, value] of attributes) length += delimitedLength(textLength(name) + textLength(value));
  }
  return length;
}

function recordLength({ payload }: RecordParts, header: number): number {
  return delimitedLength(header) + (payload.length === 0 ? 0 : delimitedLength(payload.length));
}

function writeHeader(target: Buffer, offset: number, { flag, key, attributes }: RecordParts): number {
  let at = offset;
  if (flag !== 0) {
    target[at++] = headerField.flag;
    target[at++] = flag;
  }
  if (attributes !== undefined && attributes.size > 0) {
    for (const [name, value] of attributes) {
      at = writeLength(target, at, headerField.attribute, textLength(name) + textLength(value));
      at = writeText(target, at, attributeField.name, name);
      at = writeText(target, at, attributeField.value, value);
    }
  }
  return writeText(target, at, headerField.key, key);
}

function writeText(target: Buffer, offset: number, tag: number, text: string): number {
  if (text === "") return offset;
  const length = utf8Length(text);
  return writeUtf8(target, writeLength(target, offset, tag, length), text, length);
}

function writeLength(target: Buffer, offset: number, tag: number, length: number): number {
  target[offset] = tag;
  return writeVarint(target, offset + 1, length);
}
