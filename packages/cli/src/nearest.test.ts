import assert from "node:assert/strict";
import fc from "fast-check";
import { editDistance, nearest } from "./nearest.js";

describe("did you mean", () => {
  it("finds what is much alike, and nothing else", () => {
    assert.equal(nearest("strem", ["stream", "sql", "server"]), "stream");
    assert.equal(nearest("lsit", ["list", "create"]), "list");
    assert.equal(nearest("frobnicate", ["list", "create"]), undefined);
  });

  it("measures a distance: symmetric, zero for equals, one for an edit", () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(editDistance(a, b), editDistance(b, a));
        assert.equal(editDistance(a, a), 0);
        assert(editDistance(a, b) <= Math.max(a.length, b.length));
        assert.equal(editDistance(a, `${a}x`), 1);
      }),
    );
  });
});
