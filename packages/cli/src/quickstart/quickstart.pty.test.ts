import assert from "node:assert/strict";
import { TestTerminal } from "../test-kit/terminal.js";

describe("the quickstart in a terminal", function () {
  this.timeout(60_000);

  it("ends in the shell with three suggestions that all work", async () => {
    const terminal = new TestTerminal(["quickstart"], { columns: 160, rows: 50 });
    const text = await terminal.until(/Try:\n[^]*\n>$/, 30_000);
    const suggestions = [...text.matchAll(/^ {2}([123])\. (.+)$/gm)].map((match) => match[2] ?? "");
    assert.equal(suggestions.length, 3);
    let answers = 0;
    for (const sql of suggestions) {
      const endless = /EMIT (CHANGES|FINAL)/.test(sql);
      terminal.type(`${sql}\r`);
      if (endless) {
        await terminal.until(/watching · [1-9]/);
        terminal.type("\u0003");
        await terminal.until(/Stopped after \d+ rows?; the query has ended\.\n\n>$/);
      } else {
        answers += 1;
        await terminal.until((now) => now.endsWith("\n>") && now.split("5 rows (").length === answers + 1);
      }
      assert.doesNotMatch(terminal.text(), /error:/);
    }
    terminal.type("\u0004");
    assert.equal(await terminal.exit, 0);
    assert.doesNotMatch(terminal.bytes, /\u001b\[[23]J/);
  });
});
