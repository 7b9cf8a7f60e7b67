import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeServer } from "@hstream/client/test-kit";
import { runCli, startCli } from "./test-kit/run-cli.js";
import { runHere } from "./test-kit/run-here.js";

describe("the command line", function () {
  this.timeout(20_000);
  let server: FakeServer;
  const run = (args: readonly string[], input?: string) =>
    runHere(args, { env: { HSTREAM_PORT: String(server.port) }, ...(input === undefined ? {} : { input }) });

  beforeEach(async () => {
    server = await FakeServer.start();
  });
  afterEach(() => server.stop());

  it("creates, lists, describes and deletes streams", async () => {
    const made = await run(["stream", "create", "demo", "-s", "2", "-b", "60", "-r", "1"]);
    assert.deepEqual([made.code, made.stdout, made.stderr], [0, "", 'Created stream "demo".\n']);
    const listed = await run(["stream", "list", "-o", "json"]);
    assert.equal(
      listed.stdout,
      '[{"name":"demo","shards":2,"replication_factor":1,"backlog_seconds":60,"created_at":"2023-11-14T22:13:20.000Z"}]\n',
    );
    const described = await run(["stream", "describe", "demo", "-o", "json"]);
    assert.equal(JSON.parse(described.stdout).shard_list.length, 2);
    const gone = await run(["stream", "delete", "demo", "-f", "-o", "json"]);
    assert.equal(gone.stdout, '{"stream":"demo","deleted":true}\n');
    assert.equal((await run(["stream", "list", "-o", "json"])).stdout, "[]\n");
  });

  it("ends 3 for what exists already or is not there, unless told to let it pass", async () => {
    await run(["stream", "create", "demo"]);
    const again = await run(["stream", "create", "demo"]);
    assert.equal(again.code, 3);
    assert.match(again.stderr, /^error: .*exists already/);
    assert.equal((await run(["stream", "create", "demo", "--if-not-exists"])).code, 0);
    assert.equal((await run(["stream", "describe", "none"])).code, 3);
    assert.equal((await run(["stream", "delete", "none"])).code, 3);
    assert.equal((await run(["stream", "delete", "none", "--if-exists"])).code, 0);
  });

  it("creates, lists, describes and deletes subscriptions", async () => {
    await run(["stream", "create", "demo"]);
    const made = await run([
      "sub",
      "create",
      "s1",
      "--stream",
      "demo",
      "--offset",
      "earliest",
      "--ack-timeout",
      "5",
    ]);
    assert.equal(made.code, 0);
    const listed = JSON.parse((await run(["subscription", "list", "-o", "json"])).stdout);
    assert.equal(listed[0].ack_timeout_seconds, 5);
    assert.equal(listed[0].offset, "earliest");
    assert.match((await run(["sub", "describe", "s1"])).stdout, /earliest/);
    assert.equal((await run(["sub", "delete", "s1"])).code, 0);
    assert.equal((await run(["sub", "delete", "s1"])).code, 3);
    assert.equal((await run(["sub", "create", "s2", "--stream", "none"])).code, 3);
  });

  it("prints the rows of a SELECT in each format, one line of JSON a statement", async () => {
    const script =
      "CREATE STREAM demo; INSERT INTO demo (a, b) VALUES (1, 'x'); INSERT INTO demo (a) VALUES (2);";
    assert.equal((await run(["sql", "-e", script])).code, 0);
    await run(["sql", "-e", "CREATE STREAM empty;"]);
    const expected: readonly (readonly [readonly string[], string])[] = [
      [["-o", "json", "-e", "SELECT a, b FROM demo;"], '[{"a":1,"b":"x"},{"a":2,"b":null}]\n'],
      [["-o", "ndjson", "-e", "SELECT a, b FROM demo;"], '{"a":1,"b":"x"}\n{"a":2,"b":null}\n'],
      [["-o", "csv", "-e", "SELECT a, b FROM demo;"], "a,b\n1,x\n2,\n"],
      [
        ["-e", "SELECT a, b FROM demo;"],
        "┌───┬──────┐\n│ a │ b    │\n├───┼──────┤\n│ 1 │ x    │\n│ 2 │ NULL │\n└───┴──────┘\n",
      ],
      [
        ["-e", "SELECT a FROM demo\\G"],
        `── row 1 ${"─".repeat(20)}\na: 1\n── row 2 ${"─".repeat(20)}\na: 2\n`,
      ],
      [["-o", "json", "-e", "SELECT a FROM empty;"], "[]\n"],
    ];
    await Promise.all(
      expected.map(async ([args, stdout]) => assert.equal((await run(["sql", ...args])).stdout, stdout)),
    );
    const many = await run(["sql", "-o", "json", "-e", "SELECT NUMBERS 25000;"]);
    assert.equal(JSON.parse(many.stdout).length, 25_000);
    assert.equal(many.stdout.split("\n").length, 2);
  });

  it("runs statements from standard input, from files and from several -e", async () => {
    assert.equal((await run(["sql"], "CREATE STREAM t; INSERT INTO t (a) VALUES (5);")).code, 0);
    const file = join(await mkdtemp(join(tmpdir(), "hstream-cli-")), "query.sql");
    await writeFile(file, "SELECT a FROM t;");
    const both = await run(["sql", "-o", "json", "-e", "SELECT a FROM t;", "-f", file]);
    assert.equal(both.stdout, '[{"a":5}]\n[{"a":5}]\n');
    const missing = await run(["sql", "-f", "/nonexistent.sql"]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^error: Cannot read \/nonexistent.sql/);
  });

  it("runs a script larger than a request, and knows the line of an error in it", async () => {
    const insert = `INSERT INTO t (a, b) VALUES (1, '${"x".repeat(20_000)}');\n`;
    const script = `CREATE STREAM t;\n${insert.repeat(150)}SELECT a FROM nope;\n`;
    const { code, stderr } = await run(["sql", "-q"], script);
    assert.equal(code, 1);
    assert.match(stderr, /\n152 \| SELECT a FROM nope;\n/);
    assert.equal(server.tables.get("t")?.length, 150);
  });

  it("stops at the first SQL error with the line, a caret and one hint, exit code 1", async () => {
    const failed = await run(["sql"], "CREATE STREAM t;\nSELECT a FROM nope;\nCREATE STREAM later;\n");
    assert.equal(failed.code, 1);
    assert.equal(
      failed.stderr,
      [
        'error: There is no stream "nope".',
        "2 | SELECT a FROM nope;",
        "                  ^^^^",
        "hint: SHOW STREAMS lists them.",
        "",
      ].join("\n"),
    );
    assert.equal(server.tables.has("later"), false);
    const asJson = await run(["sql", "-o", "json", "-e", "SELECT a FROM nope;"]);
    assert.equal(asJson.code, 1);
    assert.equal(asJson.stdout, "");
    assert.deepEqual(JSON.parse(asJson.stderr), {
      error: {
        code: 402,
        message: 'There is no stream "nope".',
        hint: "SHOW STREAMS lists them.",
        position: { line: 1, column: 15 },
      },
    });
  });

  it("abuse 14: streams a push query row by row, and ends 130 on SIGINT with the server told", async () => {
    server.tables.set("t", []);
    const push = startCli(["sql", "-o", "ndjson", "-e", "SELECT a FROM t EMIT CHANGES;"], {
      HSTREAM_PORT: String(server.port),
    });
    while (server.listeners.size === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const a of [1, 2]) for (const listener of server.listeners) listener("t", { a });
    assert.equal(await push.until(/\{"a":2\}\n/), '{"a":1}\n{"a":2}\n');
    push.process.kill("SIGINT");
    const { code, stderr } = await push.ended;
    assert.deepEqual([code, stderr], [130, ""]);
    assert.equal(server.cancelledSql, 1);
  });

  it("abuses 13 and 15: is quiet when the reader of its output leaves", async () => {
    const many = startCli(["sql", "-o", "ndjson", "-e", "SELECT NUMBERS 1000000;"], {
      HSTREAM_PORT: String(server.port),
    });
    await many.until(/\n/);
    many.process.stdout?.destroy();
    const { code, stderr } = await many.ended;
    assert.deepEqual([code, stderr], [141, ""]);
  });

  it("abuse 6: ends 5 with one line when there is no server", async () => {
    server.stop();
    for (const args of [
      ["stream", "list"],
      ["sql", "-e", "SHOW STREAMS;"],
    ]) {
      const { code, stderr, stdout } = await run(args);
      assert.deepEqual([code, stdout], [5, ""]);
      assert.equal(
        stderr,
        `error: No server answers at 127.0.0.1:${server.port}. Start one with: hstream server start\n`,
      );
    }
  });

  it("takes the server from flags, the environment or a URL, the flag being the strongest", async () => {
    const env = { HSTREAM_PORT: "1", HSTREAM_HOST: "127.0.0.1" };
    const port = String(server.port);
    assert.equal((await runCli(["stream", "list", "--port", port], { env })).code, 0);
    assert.equal((await runCli(["--port", port, "stream", "list"], { env })).code, 0);
    assert.equal((await runCli(["stream", "list", "--service-url", server.url], { env })).code, 0);
    assert.equal((await runCli(["stream", "list"], { env })).code, 5);
    assert.equal((await runCli(["stream", "list", "--service-url", "http://x"])).code, 2);
  });

  it("ends 2 for a wrong command line, with a suggestion", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["--bogus"], /^error: unknown option '--bogus'/],
      [["stream", "list", "--prot", "1"], /Did you mean --port\?/],
      [["strem", "list"], /unknown command 'strem'\n\(Did you mean stream\?\)/],
      [["stream", "lst"], /Did you mean list\?/],
      [["stream", "create"], /missing required argument 'name'/],
      [["stream", "create", "x", "-s", "none"], /whole number, 1 or more/],
      [["stream", "list", "-o", "xml"], /Allowed choices are table, vertical, json, ndjson, csv/],
      [["sub", "create", "x"], /--stream/],
    ];
    await Promise.all(
      cases.map(async ([args, pattern]) => {
        const { code, stderr, stdout } = await run(args);
        assert.deepEqual([code, stdout], [2, ""], args.join(" "));
        assert.match(stderr, pattern);
        assert.doesNotMatch(stderr, /\n\s+at /);
      }),
    );
  });

  it("says its version", async () => {
    assert.match((await run(["--version"])).stdout, /^hstream \d+\.\d+\.\d+\n$/);
  });

  it("abuse 1: prints help on stdout with exit code 0, at every level", async () => {
    const all = [
      [],
      ["--help"],
      ["stream"],
      ["stream", "--help"],
      ["stream", "create", "-h"],
      ["help", "sql"],
    ];
    await Promise.all(
      all.map(async (args) => {
        const { code, stdout, stderr } = await run(args);
        assert.deepEqual([code, stderr], [0, ""], args.join(" "));
        assert.match(stdout, /^Usage: hstream/);
      }),
    );
  });
});
