import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { manualOfTables } from "./manual.js";

const file = new URL("../../../../../docs/system-tables.md", import.meta.url);
const heading = "## The tables\n\n";

describe("the manual of the system tables", () => {
  it("lists them as they are (UPDATE_GOLDEN=1 writes it anew)", () => {
    const text = readFileSync(file, "utf8");
    const start = text.indexOf(heading) + heading.length;
    const expected = text.slice(0, start) + manualOfTables();
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, expected);
    else assert.equal(text, expected);
  });
});
