import assert from "node:assert/strict";
import { codecLimits } from "./limits.js";
import { WireCursor } from "./wire-cursor.js";

/** Passes over all fields. */
function failureOf(
  bytes: Uint8Array | readonly number[],
): { readonly offset: number; readonly reason: string } | null {
  const cursor = new WireCursor(Uint8Array.from(bytes));
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) cursor.skip(tag);
  return cursor.failure;
}

describe("WireCursor", () => {
  it("passes over fields of every wire type", () => {
    assert.equal(failureOf([0x08, 0x96, 0x01]), null);
    assert.equal(failureOf([0x09, 1, 2, 3, 4, 5, 6, 7, 8]), null);
    assert.equal(failureOf([0x0a, 2, 9, 9]), null);
    assert.equal(failureOf([0x0d, 1, 2, 3, 4]), null);
    assert.equal(failureOf([0x0b, 0x08, 1, 0x13, 0x14, 0x0c]), null);
  });

  for (const [what, bytes] of [
    ["field number 0", [0x02, 0]],
    ["a tag of more than 32 bits", [0xf8, 0xff, 0xff, 0xff, 0x1f, 0]],
    ["a tag of six bytes", [0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0]],
    ["a tag that is cut off", [0x88]],
    ["a varint that is cut off", [0x08, 0x80]],
    ["no varint", [0x08]],
    ["a varint of 11 bytes", [0x08, ...Array(10).fill(0x80), 0x00]],
    ["eight bytes that are cut off", [0x09, 1, 2, 3, 4, 5, 6, 7]],
    ["four bytes that are cut off", [0x0d, 1, 2, 3]],
    ["a length beyond the end", [0x0a, 3, 1, 2]],
    ["a length of more than 32 bits", [0x0a, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ["wire type 6", [0x0e]],
    ["wire type 7", [0x0f]],
    ["the end of a group that has not begun", [0x0c]],
    ["a group without end", [0x0b, 0x08, 1]],
    ["a group that ends as another", [0x0b, 0x14]],
  ] as const) {
    it(`refuses ${what}`, () => {
      const failure = failureOf(bytes);
      assert.ok(failure !== null);
      assert.ok(failure.offset <= bytes.length);
    });
  }

  it("limits how deep groups are nested", () => {
    const nested = (depth: number) =>
      failureOf(new Uint8Array(2 * depth).fill(0x0b, 0, depth).fill(0x0c, depth));
    assert.equal(nested(codecLimits.groupDepthMax), null);
    assert.equal(nested(codecLimits.groupDepthMax + 1)?.reason, "groups are nested too deep");
    assert.equal(nested(1_000_000)?.reason, "groups are nested too deep");
  });

  it("keeps within the message that it entered", () => {
    const cursor = new WireCursor(Uint8Array.of(0x0a, 2, 0x08, 0x80, 0x01));
    assert.equal(cursor.tag(), 0x0a);
    cursor.enter();
    assert.equal(cursor.tag(), 0x08);
    assert.equal(cursor.uint32(), 0);
    assert.equal(cursor.failure?.reason, "a varint is cut off");
  });

  it("does not take the byte behind a message for its last value", () => {
    const cursor = new WireCursor(Uint8Array.of(0x0a, 1, 0x08, 0x01));
    assert.equal(cursor.tag(), 0x0a);
    cursor.enter();
    assert.equal(cursor.tag(), 0x08);
    assert.equal(cursor.uint32(), 0);
    assert.equal(cursor.failure?.reason, "a varint is cut off");
  });

  it("keeps the first failure and reads nothing more", () => {
    const cursor = new WireCursor(Uint8Array.of(0x08, 1, 0x08, 2));
    cursor.tag();
    cursor.fail("first");
    cursor.fail("second");
    assert.deepEqual(cursor.failure, { kind: "malformed", offset: 1, reason: "first" });
    assert.equal(cursor.tag(), 0);
  });
});
