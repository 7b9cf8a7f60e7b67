import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "./testing/runs.js";
import { readUtf8, utf8Length, writeUtf8 } from "./utf8.js";

const anyText = fc
  .array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.constantFrom(0xd83d, 0xde00, 0xfeff)), { maxLength: 80 })
  .map((units) => String.fromCharCode(...units));

describe("utf8", () => {
  it("writes as long as it said, what TextEncoder writes, lone surrogates included", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.string({ maxLength: 80 })), (text) => {
        const expected = new TextEncoder().encode(text);
        const target = Buffer.alloc(expected.length + 2);
        assert.equal(utf8Length(text), expected.length);
        assert.equal(writeUtf8(target, 1, text, expected.length), 1 + expected.length);
        assert.deepEqual(new Uint8Array(target.subarray(1, -1)), expected);
      }),
      { numRuns: runs(1_000) },
    );
  });

  it("reads any bytes like TextDecoder, but keeps a byte order mark", () => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      anyText.map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        assert.equal(readUtf8(Buffer.from(input), 0, input.length), decoder.decode(input));
      }),
      { numRuns: runs(1_000) },
    );
  });
});
