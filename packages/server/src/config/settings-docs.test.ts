import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { settings } from "./settings.js";

describe("the manual", () => {
  const rows = readFileSync(new URL("../../../../docs/server.md", import.meta.url), "utf8")
    .split("\n")
    .map((line) => /^\| `([a-z.-]+)` \| (?:`(.*?)`)? ?\| (.*) \|$/.exec(line))
    .filter((row) => row !== null);

  it("lists every setting with its default, and no other", () => {
    const documented = rows.map(([, key, value]) => [key, value ?? ""]);
    const actual = Object.values(settings).map((setting) => [setting.key, String(setting.default)]);
    assert.deepEqual(documented, actual);
  });
});
