import assert from "node:assert/strict";
import fc from "fast-check";
import { displayWidth } from "../output/display.js";
import { layoutEditor } from "./layout.js";

const prompts = { prompt: "> ", continuation: "| " };

describe("the layout of the editor", () => {
  it("puts prompts before lines and the cursor where typing goes", () => {
    const { rows, cursorRow, cursorColumn } = layoutEditor("SELECT\n漢x", 8, {
      ...prompts,
      columns: 40,
      rowsMax: 5,
    });
    assert.deepEqual(rows, ["> SELECT", "| 漢x"]);
    assert.deepEqual([cursorRow, cursorColumn], [1, 4]);
  });

  it("never exceeds the screen, and always shows the cursor", () => {
    const text = fc
      .array(fc.constantFrom("a", "bb ", "漢", "\n", "👩‍👩‍👧", "é"))
      .map((parts) => parts.join(""));
    const sizes = fc.record({
      columns: fc.integer({ min: 8, max: 40 }),
      rowsMax: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(text, fc.nat(), sizes, (typed, place, { columns, rowsMax }) => {
        const boundaries = [0];
        for (const { segment } of new Intl.Segmenter().segment(typed))
          boundaries.push((boundaries.at(-1) ?? 0) + segment.length);
        const cursor = boundaries[place % boundaries.length] ?? 0;
        const layout = layoutEditor(typed, cursor, { ...prompts, columns, rowsMax });
        assert(layout.rows.length <= rowsMax);
        for (const row of layout.rows) assert(displayWidth(row) <= columns - 1, row);
        assert(layout.cursorRow >= 0 && layout.cursorRow < layout.rows.length);
        assert(layout.cursorColumn <= columns - 1);
      }),
    );
  });
});
