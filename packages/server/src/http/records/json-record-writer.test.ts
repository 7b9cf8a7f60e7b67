import assert from "node:assert/strict";
import {
  codecLimits,
  decodeHRecord,
  encodeRecordBatch,
  type HValue,
  isMalformed,
  RecordBatchReader,
} from "@hstream/proto";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { JsonRecordWriter } from "./json-record-writer.js";
import { headerOf } from "./record-header.js";

const noHeader = headerOf("", new Map());

function write(text: string): { readonly value?: unknown; readonly failure?: string; readonly end: number } {
  const writer = new JsonRecordWriter(16);
  const source = Buffer.from(text);
  const end = writer.write(source, 0, source.length, noHeader);
  if (end < 0) {
    assert.equal(writer.bytes, 0);
    return { failure: writer.failure, end };
  }
  const reader = new RecordBatchReader(writer.take());
  assert.ok(reader.next());
  const decoded = decodeHRecord(reader.payload());
  if (isMalformed(decoded)) throw new Error(decoded.reason);
  assert.ok(!reader.next() && reader.failure === null);
  return { value: plain(decoded), end };
}

function plain(value: HValue): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([name, field]) => [name, plain(field)]));
  if (Array.isArray(value)) return value.map((item) => plain(item as HValue));
  return value;
}

describe("records from JSON", () => {
  it("are what JSON.parse gives, however the text is spaced and escaped", () => {
    const objects = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 4 }), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(objects, fc.constantFrom(0, 1, "\t \r\n"), fc.boolean(), (object, space, escape) => {
        let text = JSON.stringify(object, null, space);
        if (escape)
          text = text.replaceAll(
            /[^\x20-\x7e\s]/g,
            (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
          );
        const { value, end } = write(text);
        assert.deepEqual(normal(value), normal(JSON.parse(text)));
        assert.equal(end, Buffer.byteLength(text));
      }),
    );
  });

  it("refuses whatever JSON.parse refuses", () => {
    const soups = fc.array(fc.constantFrom(...'{}[]",:\\0123456789.eE+-truefalsenull \n\u0001é'), {
      maxLength: 14,
    });
    fc.assert(
      fc.property(soups, (soup) => {
        const text = `{"a":${soup.join("")}}`;
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          parsed = undefined;
        }
        const written = write(text);
        const whole = written.end === Buffer.byteLength(text);
        // The runtime makes an infinity of it, which no record can hold.
        if (/\d{2,}e|e\+?\d{2,}/i.test(text)) return;
        if (parsed === undefined) assert.ok(!whole, `${text} was taken`);
        else assert.ok(whole, `${text}: ${written.failure}`);
      }),
      { numRuns: runs(2_000) },
    );
  });

  it("keeps every double, and integers of 64 bits as SQL stores them", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = JSON.stringify({ n: number });
        assert.deepEqual(normal(write(text).value), normal(JSON.parse(text)));
      }),
    );
    const read = (digits: string) => (write(`{"n":${digits}}`).value as { n: unknown }).n;
    assert.equal(read("0.1"), 0.1);
    assert.equal(read("123456789012.345"), 123456789012.345);
    assert.ok(Object.is(read("-0"), -0));
    assert.deepEqual(read("9007199254740993"), { $numberLong: "9007199254740993" });
    assert.deepEqual(read("-9223372036854775808"), { $numberLong: "-9223372036854775808" });
    assert.equal(read("9223372036854775808"), 2 ** 63);
    assert.match(write('{"n":1e999}').failure ?? "", /out of range/);
  });

  it("keeps lengths of every size right, and can be read at once by the ordinary decoder", () => {
    for (const length of [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000]) {
      const text = "x".repeat(length);
      const object = { [`k${text}`]: [text, { inner: text }] };
      assert.deepEqual(write(JSON.stringify(object)).value, object);
    }
  });

  it("writes records one after the other, with their header", () => {
    const writer = new JsonRecordWriter(64);
    const header = headerOf("key", new Map([["a", "b"]]));
    const source = Buffer.from(' {"a":1} {"b":"ü"}');
    const middle = writer.write(source, 0, source.length, header);
    assert.equal(writer.write(source, middle, source.length, header), source.length);
    const reader = new RecordBatchReader(writer.take());
    assert.ok(reader.next());
    const { key, attributes, flag, payload } = reader.record();
    assert.deepEqual([key, attributes?.get("a"), flag], ["key", "b", 0]);
    const expected = encodeRecordBatch([{ flag: 0, key: "key", attributes: new Map([["a", "b"]]), payload }]);
    assert.ok(expected.length > 0 && reader.next() && !reader.next());
  });

  it("does not recurse without bound, and takes __proto__ for a name", () => {
    const deep = (levels: number) => `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    assert.match(write(deep(codecLimits.hrecordDepthMax)).failure ?? "", /deeper/);
    assert.match(write(`{"a":${"[".repeat(100_000)}`).failure ?? "", /deeper/);
    assert.equal(write(deep(codecLimits.hrecordDepthMax - 1)).failure, undefined);
    assert.equal(JSON.stringify(write('{"__proto__":{"x":1}}').value), '{"__proto__":{"x":1}}');
    for (const text of ["[]", "1", "", "null", '"x"']) assert.match(write(text).failure ?? "", /JSON object/);
  });
});

/** Integers beyond 2^53 have a form of their own, and −0 its sign. */
function normal(value: unknown): unknown {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) return "large";
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 1 && entries[0]?.[0] === "$numberLong") return "large";
    return Object.fromEntries(entries.map(([name, field]) => [name, normal(field)]));
  }
  return value;
}
