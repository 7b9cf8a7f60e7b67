import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdtemp, open, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HStreamClient } from "@hstream/client";
import { FakeServer } from "@hstream/client/test-kit";
import { type RealServer, startRealServer } from "../test-kit/real-server.js";
import { childEnv, cliEntry, runCli, startCli } from "../test-kit/run-cli.js";
import { runHere } from "../test-kit/run-here.js";
import { TestTerminal } from "../test-kit/terminal.js";

/** The list of what can be done to a command line: each is met with an answer, and never with a hang. */
describe("abuse of the command line", function () {
  this.timeout(30_000);
  let server: RealServer;
  let directory: string;
  const env = (more: Readonly<Record<string, string>> = {}) => ({
    HSTREAM_PORT: String(server.port),
    XDG_CONFIG_HOME: directory,
    XDG_STATE_HOME: directory,
    ...more,
  });
  const run = (args: readonly string[], input?: string | AsyncIterable<Uint8Array>, more = {}) =>
    runHere(args, { env: env(more), ...(input === undefined ? {} : { input }) });

  before(async () => {
    server = await startRealServer();
    directory = await mkdtemp(join(tmpdir(), "hstream-abuse-"));
    await run(["stream", "create", "demo"]);
    await run(["stream", "append", "demo"], '{"a":1}\n{"a":2}');
  });
  after(() => server.stop());

  /** Something else than HStream on a port. */
  async function other(greet: (socket: Socket) => void): Promise<{ port: string; close: () => void }> {
    const sockets = new Set<Socket>();
    const listening: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      greet(socket);
    });
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const address = listening.address();
    assert(typeof address === "object" && address !== null);
    return {
      port: String(address.port),
      close: () => {
        listening.close();
        for (const socket of sockets) socket.destroy();
      },
    };
  }

  it("abuse 3: takes the last of a flag that is given twice", async () => {
    const { code, stdout } = await run(["stream", "list", "-o", "json", "-o", "csv"]);
    assert.equal(code, 0);
    assert.match(stdout, /^name,shards/);
  });

  it("abuse 5: takes IPv6 in and without brackets, and refuses what is no host", async () => {
    for (const host of ["::1", "[::1]"]) {
      const { code, stderr } = await run(["stream", "list", "--host", host, "--port", "1"]);
      assert.equal(code, 5, `${host}: ${stderr}`);
    }
    for (const host of ["", "http://x", "a b", "a/b"]) {
      assert.equal((await run(["stream", "list", "--host", host])).code, 2, host);
    }
  });

  it("abuse 7: gives up a server that accepts and is silent", async () => {
    const silent = await other(() => {});
    const { code, stderr } = await run(["stream", "list", "--port", silent.port]);
    silent.close();
    assert.equal(code, 5);
    assert.match(stderr, /^error: .*\n/);
  });

  it("abuse 8: says when what answers is no HStream server", async () => {
    for (const greeting of [
      "SSH-2.0-OpenSSH_9.0\r\n",
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    ]) {
      const wrong = await other((socket) => void socket.end(greeting));
      const { code, stderr } = await run(["stream", "list", "--port", wrong.port]);
      wrong.close();
      assert.equal(code, 5, stderr);
      assert.match(stderr, /^error: .*127\.0\.0\.1:\d+/);
    }
  });

  it("abuse 9: survives an answer that makes no sense", async () => {
    const fake = await FakeServer.start();
    fake.onSql = async function* () {
      yield { event: { $case: "done", value: { message: "{garbage", rowsAffected: 0n, notices: [] } } };
    };
    const { code, stderr } = await run(["query", "list", "--port", String(fake.port)]);
    fake.stop();
    assert.equal(code, 1);
    assert.match(stderr, /^error: /);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });

  it("abuse 10: refuses TLS flags that are incomplete or name what is no key", async () => {
    const key = join(directory, "key.pem");
    await writeFile(key, "not a key");
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["--tls-key", key], /go together/],
      [["--tls-cert", key, "--tls-key", "/none"], /not a PEM file|cannot read/],
      [["--tls-ca", "/none"], /--tls-ca: cannot read \/none/],
      [["--tls-ca", key], /not a PEM file/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await run(["stream", "list", ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    const plain = await run(["stream", "list", "--tls"]);
    assert.equal(plain.code, 4);
    assert.match(plain.stderr, /^error: TLS with .* fails/);
  });

  it("abuse 11: refuses a token that is empty or has a line break", async () => {
    for (const token of ["", "a\nb", "a b", "é"]) {
      assert.equal((await run(["stream", "list", "--token", token])).code, 2, JSON.stringify(token));
    }
    assert.equal((await run(["stream", "list"], undefined, { HSTREAM_TOKEN: "" })).code, 0);
  });

  it("abuse 12: does with a closed standard input, and with a large one, what there is to do", async () => {
    const closed = spawn(process.execPath, [cliEntry, "sql"], {
      env: childEnv(env()),
      stdio: ["ignore", "pipe", "pipe"],
    });
    assert.equal(await new Promise((resolve) => closed.once("close", resolve)), 0);
    await run(["stream", "create", "large"]);
    const line = Buffer.from(`${'{"text":"'.padEnd(1_000, "x")}"}\n`.repeat(100));
    async function* lines() {
      for (let n = 0; n < 300; n += 1) yield line;
    }
    const before = process.memoryUsage().rss;
    const { stdout } = await run(["stream", "append", "large", "-o", "json"], lines());
    assert.equal(stdout, '{"stream":"large","appended":30000}\n');
    // 30 MB went through; the server is in this process, too.
    assert.ok(process.memoryUsage().rss - before < 400_000_000);
  });

  it("abuse 13: ends with an error when the disk behind a redirect is full", async function () {
    const full = await open("/dev/full", "w").catch(() => undefined);
    // Only Linux has such a file.
    if (full === undefined) return;
    const child = spawn(process.execPath, [cliEntry, "sql", "-o", "ndjson", "-e", "SELECT * FROM demo;"], {
      env: childEnv(env()),
      stdio: ["ignore", full.fd, "pipe"],
    });
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    await full.close();
    assert.equal(code, 1);
    assert.match(stderr, /^error: .*ENOSPC/);
  });

  it("abuse 14: ends 143 on SIGTERM, and its query with it", async () => {
    const push = startCli(["sql", "-o", "ndjson", "-e", "SELECT a FROM demo EMIT CHANGES;"], env());
    await using client = await HStreamClient.connect(server.url);
    const running = async () => {
      const names: string[] = [];
      for await (const row of client.query("SHOW QUERIES;")) names.push(JSON.stringify(row));
      return names.filter((name) => name.includes("EMIT CHANGES")).length;
    };
    while ((await running()) === 0) await new Promise((resolve) => setImmediate(resolve));
    push.process.kill("SIGTERM");
    assert.equal((await push.ended).code, 143);
    while ((await running()) > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("abuse 16: draws on a terminal of ten columns, and without TERM", async () => {
    const narrow = new TestTerminal(["sql"], { env: env(), columns: 10, rows: 5 });
    await narrow.until(/>/);
    narrow.type("SELECT a FROM demo;");
    await narrow.until(/demo;/);
    narrow.type("\r");
    await narrow.until(/row/);
    narrow.kill("SIGTERM");
    assert.equal(await narrow.exit, 143);
    const dumb = new TestTerminal(["sql"], { env: env({ TERM: "dumb" }) });
    await dumb.until(/^>/m);
    dumb.type("SELECT a FROM demo;\n");
    await dumb.until(/2 rows/);
    dumb.kill("SIGTERM");
    await dumb.exit;
    assert.doesNotMatch(dumb.bytes, /\u001b\[\d*[A-KJ]/);
  });

  it("abuse 18: shows control characters in data escaped, wherever the data stand", async () => {
    await run(["stream", "create", "evil"]);
    await run(["stream", "append", "evil"], '{"a":"x\\u001b[2Jy\\u0007","\\u001b[31mname":1}');
    for (const format of ["table", "vertical", "markdown", "json", "ndjson", "yaml"]) {
      for (const args of [
        ["sql", "-e", "SELECT * FROM evil;"],
        ["stream", "read", "evil", "--until", "latest"],
      ]) {
        const { stdout } = await run([...args, "-o", format]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
        assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f]/, `${format} ${args.join(" ")}`);
      }
    }
  });

  it("abuse 19: prints bytes that are no text as base64", async () => {
    await using client = await HStreamClient.connect(server.url);
    await client.streams.create("binary");
    await client.append("binary", [new Uint8Array([0, 255, 254]), new TextEncoder().encode("plain")]);
    const { stdout } = await run(["stream", "read", "binary", "--until", "latest", "-o", "ndjson"]);
    const [first, second] = stdout.split("\n");
    assert.equal(JSON.parse(first ?? "").base64, "AP/+");
    assert.equal(JSON.parse(second ?? "").text, "plain");
    assert.match(
      (await run(["stream", "read", "binary", "--until", "latest", "-o", "csv"])).stdout,
      /base64:AP\/\+/,
    );
  });

  it("abuse 20: prints 500 columns down on a terminal, and a cell of a megabyte whole off one", async () => {
    await run(["stream", "create", "wide"]);
    const fields = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`c${n}`, n]));
    await run(["stream", "append", "wide"], `${JSON.stringify({ ...fields, big: "x".repeat(1_000_000) })}\n`);
    const few = await runHere(["sql", "-e", "SELECT c1, c2 FROM wide;"], { env: env(), columns: 80 });
    assert.match(few.stdout, /│ c1 │ c2 │/);
    const all = await runHere(["sql", "-e", "SELECT * FROM wide;"], { env: env(), columns: 80 });
    assert.ok(/^ *c499: 499$/m.test(all.stdout));
    const { stdout } = await run(["sql", "-o", "json", "-e", "SELECT * FROM wide;"]);
    const [row] = JSON.parse(stdout) as Record<string, unknown>[];
    assert.equal(Object.keys(row ?? {}).length, 501);
    assert.equal(String(row?.["big"]).length, 1_000_000);
  });

  it("abuse 23: leaves a statement that never ends alone, and lets go of it", async () => {
    const terminal = new TestTerminal(["sql"], { env: env() });
    await terminal.until(/^>$/m);
    terminal.type("SELECT a");
    for (let line = 0; line < 3; line += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      terminal.type("\r");
      await terminal.until(new RegExp(`(\\n\\|[^\\n]*){${line + 1}}$`));
    }
    terminal.type("\u0003");
    await terminal.until(/^>\nCleared/m);
    terminal.type("\u0004");
    assert.equal(await terminal.exit, 0);
    // What a script ends with needs no semicolon: nobody can type on.
    assert.equal((await run(["sql", "-o", "csv"], "SELECT a FROM demo LIMIT 1")).stdout, "a\n1\n");
  });

  it("abuses 29 and 30: refuses places that are none, and an end before the beginning", async () => {
    for (const place of ["1-2", "a-b-c", "1-2-3-4", "-1", "yesterday", "", "1-2-x", "99999999999999999999"]) {
      for (const flag of ["--from", "--until"]) {
        const { code, stderr } = await run(["stream", "read", "demo", `${flag}=${place}`, "--timeout", "1"]);
        assert.equal(code, 2, `${flag} ${place}: ${stderr}`);
      }
    }
    const turned = await run(["stream", "read", "demo", "--from", "2026-01-02", "--until", "2026-01-01"]);
    assert.equal(turned.code, 2);
    assert.match(turned.stderr, /--until lies before --from/);
    const afterEnd = await run(["stream", "read", "demo", "--from", "latest", "--until", "earliest"]);
    assert.equal(afterEnd.code, 2);
  });

  it("abuse 31: refuses an ack timeout of 0", async () => {
    const { code, stderr } = await run(["sub", "create", "x", "--stream", "demo", "--ack-timeout", "0"]);
    assert.equal(code, 2);
    assert.match(stderr, /whole number, 1 or more/);
  });

  it("abuse 32: deletes nothing that is in use without --force, and nothing without a yes", async () => {
    await run(["stream", "create", "used"]);
    await run(["sub", "create", "user", "--stream", "used"]);
    const refused = await run(["stream", "delete", "used"]);
    assert.equal(refused.code, 1);
    assert.equal((await run(["stream", "describe", "used"])).code, 0);
    assert.equal((await run(["stream", "delete", "used", "--force"])).code, 0);
    const trim = ["stream", "trim", "demo", "--to", "latest"];
    const unasked = await run(trim);
    assert.deepEqual([unasked.code, /--yes/.test(unasked.stderr)], [2, true]);
    const asked = new TestTerminal(trim, { env: env() });
    await asked.until(/for ever\? \[y\/N\]/);
    asked.type("nein\r");
    await asked.until(/Nothing was done/);
    assert.equal(await asked.exit, 1);
    const { stdout } = await run(["stream", "read", "demo", "--until", "latest", "-o", "ndjson"]);
    assert.equal(stdout.trim().split("\n").length, 2);
  });

  it("abuse 33: tells the state of a node that is dead, and that not all run", async () => {
    const fake = await FakeServer.start();
    fake.deadNodeIds = [7];
    const port = String(fake.port);
    const { stdout } = await run(["node", "status", "--port", port, "-o", "csv"]);
    assert.match(stdout, /^7,10\.0\.0\.1,1,DEAD$/m);
    assert.equal((await run(["node", "check-running", "--port", port])).code, 1);
    assert.equal((await run(["node", "check-running", "-n", "1", "--port", port])).code, 0);
    fake.stop();
  });

  it("abuse 34: prints the same in every locale and time zone", async () => {
    const args = ["sql", "-o", "json", "-e", "SELECT a, 'Ä漢🎈' AS t FROM demo LIMIT 1;"];
    for (const more of [
      { LC_ALL: "C", LANG: "" },
      { TZ: "Antarctica/Troll", LANG: "xx_YY" },
    ]) {
      const { code, stdout } = await runCli(args, { env: env(more) });
      assert.deepEqual([code, stdout], [0, '[{"a":1,"t":"Ä漢🎈"}]\n']);
    }
  });

  it("abuse 35: works where nothing can be written, and says what cannot be kept", async () => {
    const home = await mkdtemp(join(tmpdir(), "hstream-home-"));
    const file = join(home, "file");
    await writeFile(file, "");
    await chmod(home, 0o500);
    // Below a file nothing can be made, not even by root.
    const locked = { HOME: file, XDG_CONFIG_HOME: "", XDG_STATE_HOME: join(file, "state") };
    assert.equal((await run(["stream", "list"], undefined, locked)).code, 0);
    const { code, stderr } = await run(["context", "add", "x", "hstream://h"], undefined, {
      ...locked,
      XDG_CONFIG_HOME: join(file, "config"),
    });
    assert.equal(code, 1);
    assert.match(stderr, /^error: Cannot write /);
    const terminal = new TestTerminal(["sql"], { env: env(locked) });
    await terminal.until(/^>$/m);
    terminal.type("SELECT a FROM demo;");
    await terminal.until(/demo;/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    terminal.type("\r");
    await terminal.until(/2 rows/);
    terminal.type("\u0004");
    assert.equal(await terminal.exit, 0);
  });

  it("abuse 38: describes a subscription of a server that lacks our own service", async () => {
    const fake = await FakeServer.start();
    const port = String(fake.port);
    await run(["stream", "create", "s", "--port", port]);
    await run(["sub", "create", "old", "--stream", "s", "--port", port]);
    const { code, stdout, stderr } = await run(["sub", "describe", "old", "--port", port, "-o", "json"]);
    fake.stop();
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).stream, "s");
  });
});
