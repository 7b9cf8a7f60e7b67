import assert from "node:assert/strict";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { runs } from "./testing/runs.js";
import { concat, embedded, hostile, text, unknownFields } from "./arbitrary-bytes.test.helper.js";
import { Struct } from "./generated/google/protobuf/struct.js";
import { decodeHRecord, encodeHRecord, type HInput, type HObject, type HValue } from "./hrecord.js";
import { codecLimits } from "./limits.js";
import { isMalformed } from "./malformed.js";
import { WireCursor } from "./wire-cursor.js";

const { value } = fc.letrec<{ value: HValue; object: HObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.integer(),
    text,
    fc.array(tie("value"), { maxLength: 4 }),
    tie("object"),
  ),
  object: fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
}));
const record = fc.array(fc.tuple(text, value), { maxLength: 5 }).map((entries) => new Map(entries));

/** Plain objects instead of Maps; the generated code cannot hold a field named `__proto__`. */
function plain(input: HValue): unknown {
  if (input instanceof Map)
    return Object.fromEntries([...input].map(([name, field]) => [name, plain(field)]));
  return Array.isArray(input) ? input.map(plain) : input;
}

function hasProto(input: HValue): boolean {
  if (input instanceof Map) return input.has("__proto__") || [...input.values()].some(hasProto);
  return Array.isArray(input) && input.some(hasProto);
}

function encoded(object: Parameters<typeof encodeHRecord>[0]): Uint8Array {
  const bytes = encodeHRecord(object);
  return bytes instanceof Uint8Array ? bytes : assert.fail(bytes.reason);
}

/** `depth` lists within the record, which makes depth + 1 levels. */
function nested(depth: number): Map<string, HInput> {
  let inner: HInput = true;
  for (let level = 0; level < depth; level++) inner = [inner];
  return new Map([["x", inner]]);
}

/** The same, under the empty name. Built from the inside, where each level only adds to the front. */
function nestedBytes(depth: number): Uint8Array {
  const parts = [Uint8Array.of(0x20, 1)];
  let length = 2;
  const wrap = (tag: number) => {
    const head = new BinaryWriter().uint32(tag).uint32(length).finish();
    parts.push(head);
    length += head.length;
  };
  for (let level = 0; level < depth; level++) for (const tag of [0x0a, 0x32]) wrap(tag);
  wrap(0x12);
  wrap(0x0a);
  return concat(...parts.reverse());
}

/** Entries on the wire, repeated names among them. */
function entryCount(bytes: Uint8Array): number {
  const cursor = new WireCursor(bytes);
  let count = 0;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    cursor.skip(tag);
    if (tag === 0x0a) count += 1;
  }
  return count;
}

describe("HRecord codec", () => {
  it("gives back what it encoded, in the same order, __proto__ included", () => {
    fc.assert(
      fc.property(record, (input) => {
        const decoded = decodeHRecord(embedded(encoded(input)));
        assert.deepEqual(decoded, input);
        assert.deepEqual([...(isMalformed(decoded) ? [] : decoded.keys())], [...input.keys()]);
      }),
    );
  });

  it("is read by the generated code, and reads what that wrote", () => {
    fc.assert(
      fc.property(
        record.filter((input) => !hasProto(input)),
        (input) => {
          const object = plain(input) as { [name: string]: unknown };
          assert.deepEqual(Struct.unwrap(Struct.decode(encoded(input))), object);
          // -0 and NaN need a comparison that tells them, which deepEqual of assert/strict is.
          assert.deepEqual(
            decodeHRecord(Struct.encode(Struct.wrap(object)).finish()),
            new Map(Object.entries(object).map(([name]) => [name, input.get(name)])),
          );
        },
      ),
    );
  });

  it("encodes plain objects like Maps", () => {
    assert.deepEqual(
      encoded({ a: 1, b: { c: [null, true] } }),
      encoded(
        new Map<string, HInput>([
          ["a", 1],
          ["b", new Map([["c", [null, true]]])],
        ]),
      ),
    );
    assert.deepEqual(encoded(JSON.parse('{"__proto__":1}')), encoded(new Map([["__proto__", 1]])));
  });

  it("reads a part of larger bytes", () => {
    const bytes = encoded({ a: "b" });
    const whole = concat(Uint8Array.of(0xff), bytes, Uint8Array.of(0xff));
    assert.deepEqual(decodeHRecord(whole, 1, 1 + bytes.length), new Map([["a", "b"]]));
  });

  it("takes a missing or empty value for null, and the last of several", () => {
    assert.deepEqual(decodeHRecord(Uint8Array.of(0x0a, 3, 0x0a, 1, 0x61)), new Map([["a", null]]));
    assert.deepEqual(decodeHRecord(Uint8Array.of(0x0a, 5, 0x0a, 1, 0x61, 0x12, 0)), new Map([["a", null]]));
    const twice = concat(encoded({ a: 1 }), encoded({ b: 2 }), encoded({ a: 3 }));
    assert.deepEqual(
      decodeHRecord(twice),
      new Map([
        ["a", 3],
        ["b", 2],
      ]),
    );
  });

  it("passes over unknown fields at every level", () => {
    fc.assert(
      fc.property(unknownFields, (unknown) => {
        const inner = concat(unknown, Uint8Array.of(0x20, 1), unknown);
        const entry = new BinaryWriter().raw(unknown).uint32(0x12).bytes(inner).raw(unknown).finish();
        const bytes = new BinaryWriter().raw(unknown).uint32(0x0a).bytes(entry).raw(unknown).finish();
        assert.deepEqual(decodeHRecord(bytes), new Map([["", true]]));
      }),
    );
  });

  it("limits the depth in both directions", () => {
    const deepest = nested(codecLimits.hrecordDepthMax - 1);
    assert.deepEqual(decodeHRecord(encoded(deepest)), deepest);
    const refused = encodeHRecord(nested(codecLimits.hrecordDepthMax));
    assert.ok(!(refused instanceof Uint8Array) && refused.kind === "unencodable");
  });

  it("refuses to go deep into bytes, however deep they are", () => {
    assert.deepEqual(decodeHRecord(nestedBytes(99)), new Map([["", nested(99).get("x")]]));
    for (const depth of [100, 20_000]) assert.ok(isMalformed(decodeHRecord(nestedBytes(depth))));
  });

  it("refuses values that have no place in an HRecord", () => {
    for (const stranger of [undefined, 1n, () => 1, Symbol("s")]) {
      const refused = encodeHRecord({ a: [stranger as unknown as HInput] });
      assert.ok(!(refused instanceof Uint8Array) && refused.kind === "unencodable");
    }
    const circle: HInput[] = [];
    circle.push(circle, circle, circle);
    assert.ok(!(encodeHRecord({ circle }) instanceof Uint8Array));
  });

  it("never throws, and agrees with the generated code where it accepts", () => {
    const valid = record.map(encoded);
    let accepted = 0;
    fc.assert(
      fc.property(hostile(valid), (bytes) => {
        const decoded = decodeHRecord(bytes);
        if (isMalformed(decoded)) {
          assert.ok(decoded.offset >= 0 && decoded.offset <= bytes.length);
          return;
        }
        accepted += 1;
        const expected = Struct.decode(bytes);
        // The generated code keeps the earlier value where a repeated name comes without one.
        if (entryCount(bytes) !== decoded.size) return;
        for (const [name, field] of decoded) {
          const other = expected.fields.get(name) ?? null;
          assert.deepEqual(
            typeof field === "object" ? null : field,
            typeof other === "object" ? null : other,
          );
        }
      }),
      { numRuns: runs(2_000) },
    );
    assert.ok(accepted > 0);
  });
});
