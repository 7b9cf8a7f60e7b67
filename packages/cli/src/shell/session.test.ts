import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { HStreamClient } from "@hstream/client";
import { type RealServer, startRealServer } from "../test-kit/real-server.js";
import { openTestSession, type TestSession } from "../test-kit/test-session.js";
import { statusLine } from "./status-line.js";
import { needsPager } from "./pager.js";
import { parseShellCommand } from "./shell-command.js";
import { parseWatch } from "./watch.js";

describe("a session of the shell", function () {
  this.timeout(20_000);
  let server: RealServer;
  let client: HStreamClient;
  let shell: TestSession;

  before(async () => {
    server = await startRealServer();
    client = await HStreamClient.connect(server.url);
    await client
      .sql("CREATE STREAM visits; CREATE VIEW busy AS SELECT city, COUNT(*) AS n FROM visits GROUP BY city;")
      .finish();
    await client.sql("INSERT INTO visits (city, n) VALUES ('Wien', 1), ('Graz', 2), ('Wien', 3);").finish();
  });
  after(async () => {
    await client.close();
    await server.stop();
  });
  beforeEach(async () => {
    shell = await openTestSession(server.url);
  });
  afterEach(() => shell.close());

  const insert = (city: string, n: number) =>
    client.sql(`INSERT INTO visits (city, n) VALUES ('${city}', ${n});`).finish();

  /** Starts a push query and inserts until its first row is counted. */
  async function follow(sql: string): Promise<{ readonly stop: () => Promise<string> }> {
    const running = shell.run(sql);
    let seen = false;
    const first = shell
      .until(() => shell.statuses.some(({ rows }) => rows > 0))
      .then(() => {
        seen = true;
      });
    for (let tries = 0; !seen; tries += 1) {
      assert(tries < 500, "the query shows no row");
      await insert("Linz", 5);
    }
    await first;
    return {
      stop: () => {
        shell.session.cancel();
        return running;
      },
    };
  }

  it("complaint 4: runs several statements of one line in order, and stops at the first error", async () => {
    const text = await shell.run("SELECT 1 AS a; SELECT nope FROM; SELECT 2 AS b;");
    assert.match(text, /│ a │[^]*error: /);
    assert.doesNotMatch(text, /│ b │/);
  });

  it("complaint 3: ends no statement at a semicolon within a text or a comment", async () => {
    assert.match(await shell.run("SELECT 'a;b' AS t -- no; end\n;"), /a;b/);
  });

  it("complaint 12: says that a stopped query has ended", async () => {
    const query = await follow("SELECT city FROM visits EMIT CHANGES;");
    assert.match(await query.stop(), /Stopped after \d+ rows?; the query has ended\./);
    // The server hears of it a moment later.
    while ((await shell.run("SHOW QUERIES;")).includes("EMIT CHANGES"));
  });

  it("complaint 22: shows the last result again, whole and in another format", async () => {
    assert.match(await shell.run(":last"), /no result yet/);
    await shell.run("SELECT city, n FROM visits ORDER BY n LIMIT 2;");
    assert.match(await shell.run(":last ndjson"), /\{"city":"Wien","n":1\}\n\{"city":"Graz","n":2\}\n2 rows/);
    assert.match(await shell.run(":last mardown"), /Did you mean markdown\?/);
  });

  it("complaint 21: says how many rows of a long result are not on the screen", async () => {
    const other = await HStreamClient.connect(server.url);
    await other.sql("CREATE STREAM long;").finish();
    const producer = await other.bufferedProducer("long");
    for (let n = 0; n < 1_500; n += 1) await producer.write({ n });
    await producer.close();
    await other.close();
    const text = await shell.run("SELECT n FROM long;");
    assert.match(text, /500 more rows: LIMIT asks for less[^]*1,500 rows/);
    assert.equal((await shell.run(":last ndjson")).match(/\{"n":/g)?.length, 1_500);
    await shell.run(":format ndjson");
    assert.equal((await shell.run("SELECT n FROM long;")).match(/\{"n":/g)?.length, 1_500);
  });

  it("complaint 13: keeps header and widths of a push query, and says what it had to cut", async () => {
    await shell.close();
    shell = await openTestSession(server.url, { rows: 1_000 });
    const query = await follow("SELECT city, n FROM visits EMIT CHANGES;");
    await insert("a".repeat(200), 1);
    await shell.until(() => shell.output().includes("…"));
    const text = await query.stop();
    assert.equal(text.match(/city +│/g)?.length, 1);
    assert.match(text, /1 cell did not fit[^]*:last shows them whole/);
    assert.match(await shell.run(":last"), /a{200}/);
  });

  it("shows a grouped query as a table in place, and leaves its last state", async () => {
    await shell.run(":live on");
    const query = await follow("SELECT city, COUNT(*) AS n FROM visits GROUP BY city EMIT CHANGES;");
    await insert("Wien", 1);
    await shell.until(() => shell.panels.at(-1)?.some((line) => line.includes("Wien")) === true);
    const text = await query.stop();
    assert.equal(text.match(/Wien/g)?.length, 1, "one row a group");
    assert.match(text, / city │ +n\n──/);
  });

  it("draws charts, live and of what is stored, and switches form while it runs", async () => {
    assert.match(await shell.run(":chart bar SELECT city, n FROM visits LIMIT 2;"), /Wien +1 █+/);
    await shell.run(":chart line");
    const query = await follow("SELECT n FROM visits EMIT CHANGES;");
    await shell.until(() => shell.panels.at(-1)?.[0] === "n");
    await shell.session.nextForm();
    assert.equal(shell.statuses.at(-1)?.form, "chart bar");
    await query.stop();
    await shell.run(":chart off");
    assert.match(await shell.run("SELECT 1 AS a;"), /│ a │/);
  });

  it("pauses a push query without losing a row, and goes on", async () => {
    const query = await follow("SELECT n FROM visits WHERE n > 100 OR n = 5 EMIT CHANGES;");
    shell.session.togglePause();
    assert.match(statusLine(shell.statuses.at(-1) ?? assert.fail()), /paused .* Ctrl-S goes on/);
    await insert("Graz", 777);
    assert.doesNotMatch(shell.output(), /777/);
    shell.session.togglePause();
    await shell.until(() => shell.output().includes("777"));
    await query.stop();
  });

  it("complaint 2: says exactly what the keys do while a query runs", () => {
    const status = { rows: 1, rowsPerSecond: 2, elapsedMs: 3_000, paused: false };
    assert.equal(
      statusLine({ ...status, endless: true, form: "table" }),
      "▶ watching · 1 row · 2/s · 3.0 s · Ctrl-C stops · Ctrl-S pauses · Ctrl-O form (table)",
    );
    assert.equal(statusLine({ ...status, endless: false }), "▶ running · 1 row · 2/s · 3.0 s · Ctrl-C stops");
  });

  it("complaints 23 and 24: opens the pager for what is larger than the screen only, never for what is live", async () => {
    await shell.close();
    shell = await openTestSession(server.url, { rows: 10, env: { PAGER: "less -R" } });
    await shell.run("SELECT 1 AS a;");
    assert.equal(shell.programs.length, 0);
    await shell.run("SELECT n FROM long LIMIT 20;");
    assert.deepEqual([shell.programs[0]?.command, shell.programs[0]?.args], ["less", ["-R"]]);
    assert.equal(shell.programs[0]?.env?.["LESS"], "FRSX", "what was seen stays on the screen");
    assert.match(shell.programs[0]?.input ?? "", /│ +19 │/);
    await shell.run(":watch 100ms 2 SELECT n FROM long LIMIT 20;");
    assert.equal(shell.programs.length, 1);
    assert.equal(needsPager("x\n".repeat(5), 80, 24), false);
    assert.equal(needsPager("漢".repeat(50), 80, 24), true);
  });

  it("complaint 42: repeats a statement with a pause and a number of times, in place", async () => {
    await shell.run("SELECT COUNT(*) AS n FROM long;");
    const text = await shell.run(":watch 100ms 3");
    assert.equal(shell.panels.length >= 3, true);
    assert.equal(text.match(/1500/g)?.length, 1, "only the last answer stays");
    assert.deepEqual(parseWatch("2s 5 SELECT 1;"), { everyMs: 2_000, times: 5, sql: "SELECT 1;" });
    assert.deepEqual(parseWatch("500ms"), { everyMs: 500, times: Number.POSITIVE_INFINITY, sql: "" });
    assert.equal(parseWatch("1ms"), undefined);
    assert.match(await shell.run(":watch 1s SELECT n FROM long EMIT CHANGES;"), /live already/);
  });

  it("complaint 7: shares the history between shells as it grows, and shows it with its times", async () => {
    const other = await openTestSession(server.url, { env: { XDG_STATE_HOME: shell.directory } });
    await other.session.options.history.append("SELECT 'from the other';");
    await shell.session.options.history.append("SELECT 'from this';");
    const merged = await shell.session.options.history.reload();
    assert.deepEqual(merged?.entries, ["SELECT 'from the other';", "SELECT 'from this';"]);
    assert.equal(await shell.session.options.history.reload(), undefined, "nothing new since");
    const text = await shell.run(":history /OTHER/");
    assert.match(text, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}SELECT 'from the other';\n1 statement\n/);
    await other.close();
  });

  it("abuse 22: keeps no secret, and does without a history that cannot be written or read", async () => {
    const { history } = shell.session.options;
    await history.append("CREATE STREAM s WITH (token = 'hush');");
    await history.append(" SELECT 'behind a blank';");
    assert.deepEqual((await history.load()).entries, []);
    const broken = await openTestSession(server.url, { env: { XDG_STATE_HOME: "/dev/null/none" } });
    await broken.session.options.history.append("SELECT 1;");
    assert.match(await broken.run(":history"), /SELECT 1;\n1 statement/);
    await broken.close();
  });

  it("abuse 25: loses no line when two shells append at a time", async () => {
    const other = await openTestSession(server.url, { env: { XDG_STATE_HOME: shell.directory } });
    const all = Array.from({ length: 50 }, (_, n) => `SELECT ${n};`);
    await Promise.all(all.map((sql, n) => (n % 2 === 0 ? shell : other).session.options.history.append(sql)));
    const { entries } = await shell.session.options.history.load();
    assert.deepEqual([...entries].sort(), [...all].sort());
    await other.close();
  });

  it("saves statements, runs them and files, and sends results to a file", async () => {
    await shell.run("SELECT city FROM visits ORDER BY n LIMIT 1;");
    assert.match(await shell.run(":save first"), /Saved/);
    assert.match(await shell.run(":run first"), /│ Wien │/);
    assert.match(await shell.run(":run frst"), /Did you mean first\?/);
    assert.match(await shell.run(":save ../x SELECT 1;"), /NAME has letters/);
    const file = join(shell.directory, "out.csv");
    await shell.run(":format csv");
    assert.match(await shell.run(`:output ${file}`), /appended to/);
    assert.doesNotMatch(await shell.run("SELECT 5 AS five;"), /five/);
    await shell.run(":output");
    assert.equal(await readFile(file, "utf8"), "five\n5\n");
    assert.match(await shell.run(":output /none/x"), /Cannot write/);
  });

  it("abuse 21: runs files with a byte order mark and CRLF, and says why it cannot read one", async () => {
    const file = join(shell.directory, "setup.sql");
    await shell.session.options.system.files.write(file, "\uFEFFSELECT 1 AS a;\r\nSELECT 2 AS b;\r\n");
    assert.match(await shell.run(`:source ${file}`), /│ a │[^]*│ b │/);
    assert.match(await shell.run(":source /none"), /Cannot read \/none: .*no such file/);
    assert.match(await shell.run(`:source ${shell.directory}`), /Cannot read [^]*directory/);
  });

  it("tells what functions and statements do", async () => {
    const help = await shell.run(":help substring");
    assert.match(help, /SUBSTRING\(string, integer.* → STRING\n {2}SUBSTRING\(text/);
    assert.match(await shell.run(":help create stream"), /CREATE STREAM \[IF NOT EXISTS\]/);
    assert.match(await shell.run(":help SUBTSRING"), /Did you mean SUBSTRING/);
    assert.match(await shell.run(":help"), /:watch/);
    assert.match(await shell.run(":plan SELECT city FROM visits WHERE n > 1;"), /└─ .*\n +└─ /);
    assert.match(await shell.run(":d visits"), /column/);
    assert.match(await shell.run(":d"), /visits[^]*busy/);
  });

  it("looks at the cluster, and on one node says what it would do", async () => {
    const watching = shell.run(":nodes");
    await shell.until(() => shell.panels.some((lines) => /running/.test(lines.join())));
    shell.session.cancel();
    assert.match(await watching, /node +│ address +│ state +│ written +│ shards +│ subs/);
    assert.match(await shell.run("SHOW NODES;"), /running/);
    assert.match(await shell.run(":placement visits"), /shard/);
    assert.match(await shell.run(":drain 1"), /would move the shards.*nothing was done/s);
    assert.match(await shell.run(":undrain 1"), /would let node 1/);
    assert.match(await shell.run("USE ADMIN;"), /is not needed/);
    assert.match(await shell.run(`USE CLUSTER '${server.url}';`), /Connected to 127/);
    assert.match(
      await shell.run("USE CLUSTER 'hstream://127.0.0.1:1';"),
      /error: .*127.0.0.1:1\.[^]*Still connected/,
    );
    assert.match(await shell.run("SELECT 1 AS still;"), /still/);
  });

  it("shows at :top what is appended, and asks no query to run for it", async () => {
    const running = shell.run(":top");
    await shell.until(() => shell.panels.length > 0);
    await shell.until(() => shell.panels.at(-1)?.some((line) => /visits +│ +0/.test(line)) === true);
    await insert("Wien", 1);
    await shell.until(() => shell.panels.at(-1)?.some((line) => /visits +│ +[1-9].*█/.test(line)) === true);
    shell.session.cancel();
    assert.match(await running, /1 of 1 node up · \d+ streams? · \d+ (query|queries) · 0 subscriptions/);
  });

  it("complaint 26: fetches names in the background, and again after they changed", async () => {
    const { catalogue } = shell;
    assert.deepEqual(catalogue.relations, [], "nothing is waited for");
    await shell.until(() => catalogue.relations.some(({ name }) => name === "busy"));
    catalogue.columns("visits");
    await shell.until(() => catalogue.columns("visits").some(({ name }) => name === "city"));
    await shell.run("CREATE STREAM newborn;");
    void catalogue.relations;
    await shell.until(() => catalogue.relations.some(({ name }) => name === "newborn"));
    await shell.run(":refresh");
  });

  it("asks before something is dropped, and drops nothing without a yes", async () => {
    await client.sql("CREATE STREAM doomed;").finish();
    const careful = await openTestSession(server.url, { answer: false });
    assert.match(
      await careful.run("/* all */ DROP STREAM\n doomed; SELECT 1 AS a;"),
      /^Nothing was done\.\n\n$/,
    );
    assert.deepEqual(careful.questions, ["DROP STREAM doomed; cannot be undone. Go on?"]);
    await careful.run("SHOW STREAMS; -- DROP STREAM doomed");
    assert.equal(careful.questions.length, 1);
    await careful.close();
    assert.match(await shell.run("DROP STREAM doomed;"), /dropped/i);
    assert.equal(shell.questions.length, 1);
  });

  it("abuse 24: knows every way to leave", () => {
    for (const text of [":q", "\\q", ":quit", "exit", "exit;", "quit", ":exit"]) {
      assert.deepEqual(parseShellCommand(text), { kind: "command", name: "quit", argument: "" }, text);
    }
    assert.equal(parseShellCommand("SELECT 1;"), undefined);
    assert.deepEqual(parseShellCommand(":hlep"), { kind: "unknown", word: "hlep", suggestion: ":help" });
  });
});
