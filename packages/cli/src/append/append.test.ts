import assert from "node:assert/strict";
import fc from "fast-check";
import { BadInput, readLines } from "./read-lines.js";
import { type InputFormat, type RecordToAppend, toRecords } from "./to-records.js";

async function* pieces(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function records(
  text: string,
  format: InputFormat,
  more: { separator?: string; keyField?: string } = {},
) {
  const found: RecordToAppend[] = [];
  let failure: BadInput | undefined;
  try {
    const options = { format, separator: more.separator ?? "@", keyField: more.keyField };
    for await (const batch of toRecords(pieces(text), options)) found.push(...batch);
  } catch (error) {
    assert(error instanceof BadInput, String(error));
    failure = error;
  }
  return { found, failure };
}

describe("the input of append", () => {
  it("is the same lines however its bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n\uFEFF]/.test(text))),
        fc.integer({ min: 1, max: 9 }),
        async (texts, size) => {
          const lines: string[] = [];
          for await (const batch of readLines(pieces(texts.join("\n"), size)))
            lines.push(...batch.map(({ text }) => text));
          const expected = texts.at(-1) === "" ? texts.slice(0, -1) : texts;
          assert.deepEqual(lines, expected);
        },
      ),
    );
  });

  it("abuse 26: may have empty lines, CRLF, a byte order mark, and no line end at the end", async () => {
    const { found } = await records('\uFEFF{"a":1}\r\n\r\n{"a":2}', "auto");
    assert.deepEqual(
      found.map(({ record, line }) => [record, line]),
      [
        [{ a: 1 }, 1],
        [{ a: 2 }, 3],
      ],
    );
  });

  it("abuse 27: names the line of a bad record and keeps those before it", async () => {
    const { found, failure } = await records('{"a":1}\n{"a":2}\n{"a":\n{"a":4}\n', "ndjson");
    assert.equal(found.length, 2);
    assert.match(failure?.message ?? "", /^line 3: /);
    assert.match((await records("[1]", "auto")).failure?.message ?? "", /no JSON object/);
  });

  it("takes keys before a separator, as HStreamDB's tools do, or from a field", async () => {
    const { found } = await records('vienna@{"n":1}\n{"mail":"x@{y}"}', "auto");
    assert.deepEqual(
      found.map(({ key }) => key),
      ["vienna", ""],
    );
    const byField = await records('{"city":"graz"}\n{"city":7}\n{}', "auto", { keyField: "city" });
    assert.deepEqual(
      byField.found.map(({ key }) => key),
      ["graz", "7"],
    );
    assert.match(byField.failure?.message ?? "", /line 3: it has no field "city"/);
  });

  it("abuse 28: takes an empty separator for none", async () => {
    const { found } = await records("k@v\n", "lines", { separator: "" });
    assert.deepEqual(
      found.map(({ key, record }) => [key, Buffer.from(record as Uint8Array).toString()]),
      [["", "k@v"]],
    );
  });

  it("reads CSV: numbers, texts in quotes, empty cells left out, line ends within a cell", async () => {
    const { found } = await records(
      'a,b,c\n1,"1","x ""y""\nz"\n-2.5,,true\n007,1e5,12345678901234567890\n',
      "csv",
    );
    assert.deepEqual(
      found.map(({ record, line }) => [line, record]),
      [
        [2, { a: 1, b: "1", c: 'x "y"\nz' }],
        [4, { a: -2.5, c: true }],
        [5, { a: "007", b: "1e5", c: "12345678901234567890" }],
      ],
    );
  });

  it("says on which line a CSV is wrong", async () => {
    assert.match(
      (await records("a,b\n1,2\n3\n", "csv")).failure?.message ?? "",
      /^line 3: it has 1 cells, the header has 2/,
    );
    assert.match((await records('a\n"x\ny\n', "csv")).failure?.message ?? "", /^line 2: .*does not end/);
    assert.match((await records('a\n"x"y\n', "csv")).failure?.message ?? "", /^line 2: a comma is missing/);
    assert.match((await records("a,a\n", "csv")).failure?.message ?? "", /one name/);
  });
});
