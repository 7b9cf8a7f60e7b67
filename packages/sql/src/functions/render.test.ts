import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { renderFunctions } from "./render.js";

describe("the page of functions", () => {
  it("is that of the table: node scripts/render-functions.mjs renews it", () => {
    const page = new URL("../../../../docs/sql/functions.md", import.meta.url);
    assert.equal(readFileSync(page, "utf8"), renderFunctions());
  });
});
