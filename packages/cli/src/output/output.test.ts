import assert from "node:assert/strict";
import fc from "fast-check";
import { displayWidth, pad, truncate, visible } from "./display.js";
import type { OutputFormat } from "./format.js";
import { LiveTable } from "./live-table.js";
import { type Cell, type Page, pageOf } from "./page.js";
import { resultWriter } from "./result-writer.js";

interface Options {
  readonly columns?: number;
  readonly changes?: boolean;
  readonly vertical?: boolean;
}

async function print(format: OutputFormat, pages: readonly Page[], options: Options = {}): Promise<string> {
  let out = "";
  const writer = resultWriter(format, {
    write: async (text) => {
      out += text;
    },
    warn: (text) => {
      out += `!${text}\n`;
    },
    columns: () => options.columns,
    rows: () => undefined,
    changes: options.changes ?? false,
    ...(options.vertical === undefined ? {} : { vertical: options.vertical }),
  });
  for (const page of pages) await writer.page(page);
  await writer.end(pages.at(-1)?.columns ?? []);
  return out;
}

/** The page with some rows marked as taken back. */
function deleting(page: Page, rows: readonly number[]): Page {
  return {
    columns: page.columns,
    rowCount: page.rowCount,
    text: page.text,
    json: page.json,
    isNumeric: page.isNumeric,
    isDeletion: (row) => rows.includes(row),
  };
}

const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
);
const table = fc
  .uniqueArray(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 4 })
  .chain((columns) =>
    fc.record({
      columns: fc.constant(columns),
      rows: fc.array(fc.array(cell, { minLength: columns.length, maxLength: columns.length }), {
        maxLength: 12,
      }),
    }),
  );

describe("output", () => {
  it("prints JSON that reads back as the rows, in one line, however they are cut into pages", async () => {
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 5 }), async ({ columns, rows }, size) => {
        const pages: Page[] = [];
        for (let from = 0; from < rows.length; from += size)
          pages.push(pageOf(columns, rows.slice(from, from + size)));
        const expected = rows.map((row) => columns.map((name, place) => [name, row[place]]));
        const text = await print("json", pages);
        assert.equal(text.split("\n").length, 2);
        assert.deepEqual(
          JSON.parse(text),
          expected.map((row) => JSON.parse(JSON.stringify(Object.fromEntries(row)))),
        );
        const lines = (await print("ndjson", pages)).split("\n").slice(0, -1);
        assert.deepEqual(
          lines.map((line) => JSON.parse(line)),
          JSON.parse(text),
        );
      }),
    );
  });

  it("prints CSV that reads back as the texts", async () => {
    await fc.assert(
      fc.asyncProperty(table, async ({ columns, rows }) => {
        const parsed = parseCsv(await print("csv", [pageOf(columns, rows)]));
        const expected = rows.map((row) => row.map((value) => (value === null ? undefined : String(value))));
        assert.deepEqual(parsed, [columns, ...expected]);
      }),
    );
  });

  it("draws a table of one line a row, with nothing that could steer the terminal", async () => {
    await fc.assert(
      fc.asyncProperty(table, async ({ columns, rows }) => {
        const lines = (await print("table", [pageOf(columns, rows)])).split("\n").slice(0, -1);
        assert.equal(lines.length, rows.length === 0 ? 3 : rows.length + 4);
        for (const line of lines) assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });

  it("prints a table too wide for the terminal down, and never cuts where there is no terminal", async () => {
    const page = pageOf(["id", "text"], [[1, "x".repeat(100)]]);
    assert.equal(
      await print("table", [page], { columns: 40 }),
      `── row 1 ${"─".repeat(20)}\n  id: 1\ntext: ${"x".repeat(100)}\n`,
    );
    assert.match(await print("table", [page]), /│ x{100} │/);
  });

  it("prints rows down when asked, numbered through", async () => {
    const page = pageOf(["a"], [["x"]]);
    assert.match(await print("table", [page, page], { vertical: true }), /row 1 .*\na: x\n── row 2 /);
  });

  it("prints an empty result as an empty list, a header, an empty table", async () => {
    const empty = pageOf(["a", "b"], []);
    assert.equal(await print("json", [empty]), "[]\n");
    assert.equal(await print("ndjson", [empty]), "");
    assert.equal(await print("csv", [empty]), "a,b\n");
    assert.match(await print("table", [empty]), /│ a │ b │/);
  });

  it("marks rows that are taken back", async () => {
    const page = deleting(pageOf(["a"], [["x"], ["x"]]), [1]);
    assert.equal(await print("ndjson", [page], { changes: true }), '{"a":"x"}\n{"$op":"delete","a":"x"}\n');
    assert.equal(await print("csv", [page], { changes: true }), "$op,a\ninsert,x\ndelete,x\n");
    assert.match(await print("table", [page], { changes: true }), /\n {2}x\n- x\n$/);
  });

  it("says when columns come after the header of a CSV", async () => {
    const pages = [pageOf(["a"], [[1]]), pageOf(["a", "b"], [[2, "y"]])];
    assert.equal(
      await print("csv", pages),
      "a\n1\n!New columns, not in the header, follow at the end of the lines: b\n2,y\n",
    );
  });

  it("keeps the widths of a push query, within the terminal, and repeats the header each screenful", () => {
    const live = new LiveTable(
      () => 30,
      () => 10,
    );
    const first = live.render(pageOf(["n", "text"], [[1, "x".repeat(60)]]));
    for (const line of first.split("\n")) assert(displayWidth(line) < 30, line);
    const rows = Array.from({ length: 12 }, (_, n) => [n, "y"]);
    const more = live.render(pageOf(["n", "text"], rows));
    assert.equal(more.match(/n │ text/g)?.length, 2);
    for (const line of more.split("\n")) assert(displayWidth(line) < 30, line);
  });

  it("measures, cuts and pads by cells", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 0, max: 20 }), (text, width) => {
        const shown = visible(text);
        const cut = truncate(shown, width);
        assert(displayWidth(cut) <= width);
        assert(displayWidth(pad(cut, width, true)) === width);
      }),
    );
    assert.equal(displayWidth("漢👩‍👩‍👧é"), 5);
  });
});

/** A small reader of RFC 4180; an empty cell without quotes is undefined. */
function parseCsv(text: string): (string | undefined)[][] {
  const rows: (string | undefined)[][] = [];
  let row: (string | undefined)[] = [];
  for (let at = 0; at < text.length; ) {
    let value: string | undefined;
    if (text[at] === '"') {
      const quoted = /"((?:[^"]|"")*)"/y;
      quoted.lastIndex = at;
      const match = quoted.exec(text);
      value = match?.[1]?.replaceAll('""', '"');
      at += match?.[0].length ?? 1;
    } else {
      const plain = /[^,\n]*/y;
      plain.lastIndex = at;
      const match = plain.exec(text)?.[0] ?? "";
      value = match === "" ? undefined : match;
      at += match.length;
    }
    row.push(value);
    if (text[at] === "\n") {
      rows.push(row);
      row = [];
    }
    at += 1;
  }
  return rows;
}
