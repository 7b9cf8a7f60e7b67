import assert from "node:assert/strict";
import fc from "fast-check";
import {
  historyEntriesMax,
  historyLine,
  historyOf,
  newer,
  older,
  parseHistory,
  remember,
} from "./history.js";

describe("the history", () => {
  it("reads back what was written, whatever the statements hold", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "grapheme" })), (statements) => {
        const file = statements.map((statement, at) => historyLine(at, statement)).join("");
        assert.deepEqual(
          parseHistory(file),
          statements.map((sql, at) => ({ at, sql })),
        );
      }),
    );
  });

  it("passes over what is not a line of it", () => {
    assert.deepEqual(
      parseHistory(`${historyLine(1, "a;")}{"at":2,"sq\nnull\n[]\n5\n${historyLine(3, "b;")}`),
      [
        { at: 1, sql: "a;" },
        { at: 3, sql: "b;" },
      ],
    );
  });

  it("goes back and forth, and forgets the oldest beyond its limit", () => {
    let history = historyOf([]);
    for (let n = 0; n < historyEntriesMax + 5; n += 1) history = remember(history, `${n};`);
    assert.equal(history.entries.length, historyEntriesMax);
    assert.equal(remember(history, history.entries.at(-1) ?? "").entries.length, historyEntriesMax);
    const back = older(history, "draft");
    assert.equal(back?.text, `${historyEntriesMax + 4};`);
    assert.equal(newer(back?.history ?? history)?.text, "draft");
    assert.equal(newer(history), undefined);
  });
});
