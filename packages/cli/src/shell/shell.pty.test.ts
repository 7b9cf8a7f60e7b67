import assert from "node:assert/strict";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeServer } from "@hstream/client/test-kit";
import { TestTerminal } from "../test-kit/terminal.js";

describe("the shell in a terminal", function () {
  this.timeout(30_000);
  let server: FakeServer;
  let terminal: TestTerminal;
  let state: string;

  async function open(options: { columns?: number; rows?: number; env?: Record<string, string> } = {}) {
    state = await mkdtemp(join(tmpdir(), "hstream-shell-"));
    const env = { HSTREAM_PORT: String(server.port), XDG_STATE_HOME: state, ...options.env };
    terminal = new TestTerminal(["sql"], { ...options, env });
    await terminal.until(/^>$/m);
    return terminal;
  }

  beforeEach(async () => {
    server = await FakeServer.start();
    server.tables.set("demo", [{ a: 1, b: "x" }]);
  });
  afterEach(() => {
    terminal.kill("SIGKILL");
    server.stop();
    // Complaints 36 and 37: wiping what the user sees or saw is never right, nor is taking the mouse.
    assert.doesNotMatch(terminal.bytes, /\u001b\[\?100[0-6]h/);
    assert.doesNotMatch(terminal.bytes, /\u001b\[[23]J/);
    assert.doesNotMatch(terminal.bytes, /\u001b\[\?1049h/);
  });

  it("shows a table for a statement over two lines, then a prompt, and leaves with 0", async () => {
    await open();
    terminal.type("SELECT a, b\r");
    await terminal.until(/^\|$/m);
    terminal.type("FROM demo;\r");
    const text = await terminal.until(/1 row \(\d+ ms\)\n\n>$/);
    assert.match(
      text,
      /> SELECT a, b\n\| FROM demo;\n┌───┬───┐\n│ a │ b │\n├───┼───┤\n│ 1 │ x │\n└───┴───┘\n1 row/,
    );
    terminal.type("\u0004");
    assert.equal(await terminal.exit, 0);
    assert.match(terminal.bytes, /\u001b\[\?2004h[^]*\u001b\[\?2004l/);
    const file = await readFile(join(state, "hstream", "history.ndjson"), "utf8");
    assert.equal(JSON.parse(file).sql, "SELECT a, b\nFROM demo;");
  });

  it("runs a statement whose Enter comes in the same write, and takes line ends within a burst for a paste", async () => {
    await open();
    terminal.type("SELECT a FROM demo;\r");
    await terminal.until(/1 row \(/);
    terminal.type("SELECT a FROM demo;\rSELECT b FROM demo;\r");
    await terminal.until(/> SELECT a FROM demo;\n\| SELECT b FROM demo;\n[^]*│ x │[^]*1 row \(/);
  });

  it("complaint 41: keeps the cursor where typing goes", async () => {
    await open();
    terminal.type("SELECT 漢x\u001b[D");
    await terminal.until(/> SELECT 漢x/);
    await terminal.until(() => terminal.cursor().column === 11);
    assert.equal(terminal.cursor().line, "> SELECT 漢x");
  });

  it("complaints 5, 6 and 40: does not run what is pasted, and recalls it as one statement", async () => {
    await open();
    terminal.type("\u001b[200~SELECT a\rFROM demo;\u001b[201~");
    await terminal.until(/\| FROM demo;$/);
    assert.doesNotMatch(terminal.text(), /1 row/);
    terminal.type("\r");
    await terminal.until(/1 row/);
    terminal.type("\u001b[A");
    await terminal.until((text) => text.endsWith("> SELECT a\n| FROM demo;"));
  });

  it("complaints 10, 11 and 43: appends the rows of a push query, and Ctrl-C stops it and keeps the shell", async () => {
    await open();
    terminal.type("SELECT a, b FROM demo EMIT CHANGES;\r");
    await terminal.until(/watching/);
    for (let a = 0; a < 50; a += 1)
      for (const listener of server.listeners) listener("demo", { a, b: "live" });
    await terminal.until(/ 49 │ live/);
    terminal.type("\u0003");
    const text = await terminal.until(/Stopped after 50 rows/);
    assert.match(text, / 0 │ live/);
    terminal.type("SELECT a FROM demo;\r");
    await terminal.until(/1 row \(/);
    assert.doesNotMatch(terminal.text(), /watching/);
  });

  it("complaint 27: points at an error with a caret and a hint", async () => {
    await open();
    terminal.type("SELECT a FROM nope;\r");
    const text = await terminal.until(/hint:/);
    assert.match(
      text,
      /error: There is no stream "nope".\n1 \| SELECT a FROM nope;\n {18}\^\^\^\^\nhint: SHOW STREAMS/,
    );
  });

  it("complaint 9: clears the input on Ctrl-C, and says how to leave on a second one", async () => {
    await open();
    terminal.type("SELECT\u0003");
    await terminal.until((text) => /^>\n?Cleared/m.test(text));
    terminal.type("\u0003");
    await terminal.until(/Ctrl-D or :quit leaves/);
    assert.match(terminal.bytes, /\u001b\[2m/, "a hint is dim");
    terminal.type(":quit\r");
    assert.equal(await terminal.exit, 0);
  });

  it("complaint 15: prints rows down with \\G, and when they are too wide", async () => {
    server.tables.set("wide", [{ a: "x".repeat(60), b: "y".repeat(60) }]);
    await open();
    terminal.type("SELECT a, b FROM wide;\r");
    await terminal.until(/── row 1 ─+\na: x{60}\nb: y{60}\n/);
  });

  it("complaints 36 and 37: keeps its live area within a small terminal and the scrollback as it is, whatever is pasted", async () => {
    await open({ rows: 8, columns: 30 });
    const lines = Array.from({ length: 200 }, (_, n) => `-- line ${n}`).join("\r");
    terminal.type(`\u001b[200~${lines}\u001b[201~`);
    await terminal.until(/line 199/);
    terminal.resize(20, 5);
    terminal.type("x");
    await terminal.until(/line 199x/);
  });

  it("prints 100,000 rows without losing one", async () => {
    await open({ env: { HSTREAM_OUTPUT: "ndjson" } });
    terminal.type("SELECT NUMBERS 100000;\r");
    await terminal.until(/100,000 rows/, 15_000);
    const numbers = [...terminal.bytes.matchAll(/\{"n":(\d+)\}/g)].map((match) => Number(match[1]));
    assert.equal(numbers.length, 100_000);
    assert(numbers.every((n, place) => n === place));
  });

  it("abuse 18: escapes control characters in data", async () => {
    server.tables.set("evil", [{ a: "\u001b[2J\u0007" }]);
    await open();
    terminal.type("SELECT a FROM evil;\r");
    await terminal.until(/\\u001b\[2J\\u0007/);
  });

  it("complaint 28: stays when the server goes, and says so", async () => {
    await open({ columns: 120 });
    terminal.type("SELECT a FROM demo;\r");
    await terminal.until(/1 row \([^]*\n>$/);
    server.stop();
    terminal.type("SELECT b FROM demo;\r");
    await terminal.until(/No server answers at .*hstream server start/);
    await terminal.until(/\n>$/);
  });

  it("gives the terminal back when it is told to end, whatever runs", async () => {
    await open();
    terminal.type("SELECT a, b FROM demo EMIT CHANGES;\r");
    await terminal.until(/watching/);
    terminal.kill("SIGTERM");
    assert.equal(await terminal.exit, 143);
    assert.match(terminal.bytes, /\u001b\[\?2004l[^]*\u001b\[\?25h/);
  });

  it("obeys NO_COLOR, and draws although CI is set", async () => {
    await open({ env: { NO_COLOR: "1", CI: "true" } });
    terminal.type("\u0003");
    await terminal.until(/Ctrl-D or :quit leaves/);
    assert.doesNotMatch(terminal.bytes, /\u001b\[[0-9;]*m/);
  });

  it("complaint 38: is a plain shell when asked, with the same answers", async () => {
    await open({ env: { HSTREAM_PLAIN: "1" } });
    terminal.type("SELECT a, b\n");
    await terminal.until(/^\|$/m);
    terminal.type("FROM demo;\n");
    await terminal.until(/│ 1 │ x │/);
    terminal.type(":quit\n");
    assert.equal(await terminal.exit, 0);
    assert.doesNotMatch(terminal.bytes, /\u001b/);
  });
});
