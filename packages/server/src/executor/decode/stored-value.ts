import type { WireCursor } from "@hstream/proto";
import { type SqlArray, type SqlObject, type SqlValue, unwrap } from "@hstream/sql/runtime";

/**
 * google.protobuf.Struct, Value and ListValue as SQL values:
 *
 *   struct := { 0a length entry }*      entry := [ 0a length key ] [ 12 length value ]
 *   list   := { 0a length value }*
 *   value  := 08 0 (null) | 11 double | 1a length text | 20 bool | 2a length struct | 32 length list
 *
 * The readers take a cursor whose message is the one to be read, and leave it at its end; malformed
 * bytes set the cursor's failure. As protobuf has it, the last value of a key or of a oneof counts.
 */
const entryTag = 0x0a;
const keyTag = 0x0a;
const entryValueTag = 0x12;
const valueTag = { null: 0x08, number: 0x11, text: 0x1a, bool: 0x20, struct: 0x2a, list: 0x32 } as const;

/** Objects and arrays within one another; the record itself is the first level. */
const depthMax = 100;

export function readStoredObject(cursor: WireCursor, bytes: Buffer, depth = 1): SqlObject {
  const fields = new Map<string, SqlValue>();
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag !== entryTag) {
      cursor.skip(tag);
      continue;
    }
    const outer = cursor.enter();
    let key = "";
    let value: SqlValue = null;
    for (let part = cursor.tag(); part !== 0; part = cursor.tag()) {
      if (part === keyTag) {
        const start = cursor.span();
        key = bytes.toString("utf8", start, cursor.position);
      } else if (part === entryValueTag) {
        const entryEnd = cursor.enter();
        value = readStoredValue(cursor, bytes, depth);
        cursor.leave(entryEnd);
      } else cursor.skip(part);
    }
    cursor.leave(outer);
    fields.set(key, value);
  }
  return fields;
}

/** `depth`: how many objects and arrays are around the value. */
export function readStoredValue(cursor: WireCursor, bytes: Buffer, depth: number): SqlValue {
  let value: SqlValue = null;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    switch (tag) {
      case valueTag.null:
        cursor.uint32();
        value = null;
        break;
      case valueTag.number: {
        const at = cursor.position;
        cursor.skip(tag);
        // SQL has neither NaN nor infinities nor a negative zero, and JSON cannot write the former.
        const number = cursor.failure === null ? bytes.readDoubleLE(at) : 0;
        value = Number.isFinite(number) ? number + 0 : null;
        break;
      }
      case valueTag.text: {
        const start = cursor.span();
        value = bytes.toString("utf8", start, cursor.position);
        break;
      }
      case valueTag.bool:
        value = cursor.uint32() !== 0;
        break;
      case valueTag.struct:
      case valueTag.list: {
        if (depth >= depthMax) {
          cursor.fail("values are nested too deep");
          return null;
        }
        const outer = cursor.enter();
        value =
          tag === valueTag.list
            ? readStoredList(cursor, bytes, depth + 1)
            : unwrap(readStoredObject(cursor, bytes, depth + 1));
        cursor.leave(outer);
        break;
      }
      default:
        cursor.skip(tag);
    }
  }
  return value;
}

function readStoredList(cursor: WireCursor, bytes: Buffer, depth: number): SqlArray {
  const values: SqlValue[] = [];
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag !== entryTag) {
      cursor.skip(tag);
      continue;
    }
    const outer = cursor.enter();
    values.push(readStoredValue(cursor, bytes, depth));
    cursor.leave(outer);
  }
  return values;
}
