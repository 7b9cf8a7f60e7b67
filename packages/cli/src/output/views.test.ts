import assert from "node:assert/strict";
import fc from "fast-check";
import { barChart, formatNumber, lineChart, sparkline } from "./chart.js";
import { displayWidth } from "./display.js";
import { alignRows, KeyedTable } from "./keyed-table.js";
import { type Page, pageOf, shortened } from "./page.js";
import { resultWriter } from "./result-writer.js";
import type { OutputFormat } from "./format.js";
import { yamlDocument } from "./yaml.js";

function deleting(page: Page): Page {
  return { ...page, isDeletion: () => true };
}

async function print(format: OutputFormat, page: Page, columns?: number): Promise<string> {
  let out = "";
  const writer = resultWriter(format, {
    write: async (text) => {
      out += text;
    },
    warn: () => {},
    columns: () => columns,
    rows: () => undefined,
    changes: false,
  });
  await writer.page(page);
  await writer.end(page.columns);
  return out;
}

describe("the keyed table", () => {
  it("has one row a key, in the state that came last, and none for what was taken back", () => {
    const table = new KeyedTable(["k"]);
    table.add(
      pageOf(
        ["k", "n"],
        [
          ["a", 1],
          ["b", 1],
          ["a", 2],
        ],
      ),
    );
    assert.deepEqual(table.rows, [
      ["a", "2"],
      ["b", "1"],
    ]);
    table.add(deleting(pageOf(["k", "n"], [["b", 1]])));
    assert.deepEqual(table.rows, [["a", "2"]]);
  });

  it("is a map of keys to last rows, whatever comes", () => {
    const change = fc.record({ k: fc.constantFrom("a", "b", "c"), n: fc.nat(), gone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const table = new KeyedTable(["k"]);
        const expected = new Map<string, string>();
        for (const { k, n, gone } of changes) {
          const page = pageOf(["k", "n"], [[k, n]]);
          table.add(gone ? deleting(page) : page);
          if (gone) expected.delete(k);
          else expected.set(k, String(n));
        }
        assert.deepEqual(new Map(table.rows.map(([k, n]) => [k, n])), expected);
      }),
    );
  });

  it("fits the screen, shows what changed last, and says how much is left out", () => {
    const rows = Array.from({ length: 50 }, (_, n) => [`key ${n}`, n]);
    const table = new KeyedTable(["k"]);
    table.add(pageOf(["k", "n"], rows));
    table.add(pageOf(["k", "n"], [["key 3", 99]]));
    const lines = table.render(30, 10);
    assert(lines.length <= 10);
    assert(lines.some((line) => line.includes("key 3 ")));
    assert.match(lines.at(-1) ?? "", /^… 43 more rows$/);
    for (const line of lines) assert(displayWidth(line) <= 30);
  });
});

describe("complaint 25: cells of any script", () => {
  it("line up, and no line is wider than asked", () => {
    const cell = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("漢字", "👩‍👩‍👧", "é", "\u001b[31m"),
    );
    const sizes = fc.integer({ min: 12, max: 60 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 10 }), sizes, (rows, width) => {
        const lines = alignRows(["a", "b"], rows, [false, true], width);
        for (const line of lines) {
          assert(displayWidth(line) <= width, line);
          assert.doesNotMatch(line, /[\u0000-\u001f]/);
        }
      }),
    );
  });
});

describe("charts", () => {
  it("draw within their room whatever the values", () => {
    const value = fc.oneof(fc.double(), fc.integer(), fc.constant(Number.NaN));
    const room = fc.record({
      width: fc.integer({ min: 20, max: 80 }),
      rows: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(fc.array(value, { maxLength: 200 }), room, (values, { width, rows }) => {
        assert(displayWidth(sparkline(values, width)) <= width);
        const line = lineChart(values, width, rows);
        assert.equal(line.length, rows);
        for (const one of line) assert(displayWidth(one) <= width, one);
        const bars = barChart(
          values.map((one, n) => ({ name: `n${n}`, value: one })),
          width,
          rows,
        );
        assert(bars.length <= rows);
        for (const one of bars) assert(displayWidth(one) <= width + 1, one);
      }),
    );
  });

  it("show more for more", () => {
    assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 20), "▁▂▃▄▅▆▇█");
    assert.deepEqual(
      barChart(
        [
          { name: "a", value: 2 },
          { name: "b", value: 4 },
        ],
        15,
        5,
      ),
      ["a 2 █████", "b 4 ██████████"],
    );
    assert.deepEqual(lineChart([1, 8], 10, 1), ["8 ┤▁█"]);
    assert.equal(formatNumber(1234567890), "1.23e+9");
  });
});

describe("further formats", () => {
  const page = pageOf(
    ["a", "b|c"],
    [
      [1, "x|y\t\n"],
      [2, null],
    ],
  );

  it("are tab-separated values with what would break them escaped", async () => {
    assert.equal(await print("tsv", page), "a\tb|c\n1\tx|y\\t\\n\n2\t\\N\n");
  });

  it("are a Markdown table", async () => {
    assert.equal(
      await print("markdown", page),
      "| a | b\\|c |\n| ---: | --- |\n| 1 | x\\|y\\t\\n |\n| 2 | NULL |\n",
    );
  });

  it("are YAML, in which nothing is read as something else", async () => {
    assert.equal(await print("yaml", page), '- a: 1\n  "b|c": "x|y\\t\\n"\n- a: 2\n  "b|c": null\n');
    assert.equal(await print("yaml", pageOf(["no"], [])), "[]\n");
    assert.equal(
      yamlDocument({ yes: 1, list: [{ a: 1, b: "x" }], none: [] }),
      '"yes": 1\nlist:\n  - a: 1\n    b: "x"\nnone: []\n',
    );
  });

  it("complaint 21: shorten a cell on the screen only with notice, and elsewhere never", async () => {
    const wide = pageOf(["a"], [["x".repeat(5_000)]]);
    let cut = 0;
    const shown = await print(
      "vertical",
      shortened(wide, 100, () => {
        cut += 1;
      }),
    );
    assert.equal(cut, 1);
    assert.match(shown, /x{99}…/);
    for (const format of ["table", "vertical", "json", "ndjson", "csv", "tsv", "markdown", "yaml"] as const) {
      assert.match(await print(format, wide), /x{5000}/, format);
    }
  });
});
