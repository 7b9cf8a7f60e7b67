import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { buildProgram } from "../program.js";
import { processSystem } from "../system/process-system.js";
import { type RealServer, startRealServer } from "../test-kit/real-server.js";
import { childEnv, cliEntry, runCli } from "../test-kit/run-cli.js";
import { runHere } from "../test-kit/run-here.js";
import { TestTerminal } from "../test-kit/terminal.js";

/** What users of other tools complained about, where it is about commands. */
describe("the commands", function () {
  this.timeout(30_000);
  let server: RealServer;
  let directory: string;
  const env = () => ({
    HSTREAM_PORT: String(server.port),
    XDG_CONFIG_HOME: directory,
    XDG_STATE_HOME: directory,
  });

  before(async () => {
    server = await startRealServer();
    directory = await mkdtemp(join(tmpdir(), "hstream-complaints-"));
    await runHere(["stream", "create", "demo"], { env: env() });
    await runHere(["stream", "append", "demo"], { env: env(), input: '{"a":1,"b":"x"}\n' });
  });
  after(() => server.stop());

  it("complaint 14: squeeze nothing when they print into a pipe", async () => {
    await runHere(["stream", "append", "demo"], { env: env(), input: `{"a":2,"b":"${"y".repeat(500)}"}` });
    const { stdout } = await runCli(["sql", "-e", "SELECT a, b FROM demo WHERE a = 2;"], { env: env() });
    assert.match(stdout, /│ +2 │ y{500} │/);
  });

  it("complaint 17: run statements of -e, of files and of standard input, in order", async () => {
    const file = join(directory, "three.sql");
    await writeFile(file, "SELECT a AS three FROM demo LIMIT 1;\n");
    const args = ["sql", "-o", "ndjson", "-e", "SELECT a AS one FROM demo LIMIT 1;"];
    const both = await runHere([...args, "-e", "SELECT a AS two FROM demo LIMIT 1", "-f", file], {
      env: env(),
    });
    assert.deepEqual([both.code, both.stdout], [0, '{"one":1}\n{"two":1}\n{"three":1}\n']);
    const input = "SELECT a FROM demo LIMIT 1; SELECT b FROM demo LIMIT 1;";
    for (const more of [[], ["-f", "-"]]) {
      const { code, stdout } = await runHere(["sql", "-o", "ndjson", ...more], { env: env(), input });
      assert.deepEqual([code, stdout], [0, '{"a":1}\n{"b":"x"}\n']);
    }
  });

  it("complaint 16: end with 6 where a script went on behind an error, and tell each error", async () => {
    const script =
      "SELECT a AS one FROM demo LIMIT 1; SELEC; SELECT a AS two FROM demo LIMIT 1; DROP STREAM none;";
    const args = ["sql", "-o", "ndjson", "--on-error", "continue", "-e", script];
    const { code, stdout, stderr } = await runHere(args, { env: env() });
    assert.deepEqual([code, stdout], [6, '{"one":1}\n{"two":1}\n']);
    assert.equal(stderr.trim().split("\n").length, 2);
  });

  it("complaint 18: keep progress and words out of the results", async () => {
    const lines = Array.from({ length: 50_000 }, (_, n) => `{"n":${n}}`).join("\n");
    const args = ["stream", "append", "demo", "-o", "json", "--progress", "plain"];
    const { stdout } = await runHere(args, { env: env(), input: lines });
    assert.deepEqual(JSON.parse(stdout), { stream: "demo", appended: 50_000 });
    const read = ["stream", "read", "demo", "--until", "latest", "-o", "ndjson"];
    const { stdout: records } = await runHere(read, { env: env() });
    for (const line of records.trim().split("\n")) JSON.parse(line);
  });

  it("complaint 19: show progress on a terminal, none off one, and lines where asked for", async () => {
    const file = join(directory, "many.ndjson");
    await writeFile(file, Array.from({ length: 400_000 }, (_, n) => `{"n":${n}}`).join("\n"));
    const terminal = new TestTerminal(["stream", "append", "demo", file], { env: env() });
    assert.equal(await terminal.exit, 0);
    assert.match(terminal.bytes, /\r\[=* *\] \d+% [\d,]+ records · .* · [\d,]+\/s/);
    await terminal.until(/Appended 400,000 records/);
    const off = new TestTerminal(["stream", "append", "demo", file, "--progress", "off"], { env: env() });
    assert.equal(await off.exit, 0);
    assert.doesNotMatch(off.bytes, /\d+%/);
    const piped = await runCli(["stream", "append", "demo", file, "-q"], { env: env() });
    assert.deepEqual([piped.code, piped.stderr], [0, ""]);
  });

  it("complaint 31: ask for nothing and offer no choice off a terminal", async () => {
    for (const args of [
      ["stream", "delete", "none", "--force"],
      ["sub", "delete", "none", "--force"],
      ["view", "delete", "none"],
      ["query", "terminate", "none"],
      ["stream", "describe"],
      ["stream", "trim", "demo", "--to", "latest"],
    ]) {
      const { code, stdout, stderr } = await runHere(args, { env: env() });
      assert.deepEqual([code === 2 || code === 3, stdout], [true, ""], args.join(" "));
      assert.match(stderr, /^error: /);
    }
  });

  it("complaint 32: have no flag that nothing reads", async () => {
    const source = fileURLToPath(new URL("../../src", import.meta.url));
    const texts: string[] = [];
    for (const entry of await readdir(source, { recursive: true })) {
      if (!/\.tsx?$/.test(entry) || /\.test\.|^tree\//.test(entry)) continue;
      texts.push(await readFile(join(source, entry), "utf8"));
    }
    const trees = await Promise.all(
      ["completion-tree.ts", "help-topics.ts", "node-tree.ts"].map((name) =>
        readFile(join(source, "tree", name), "utf8"),
      ),
    );
    const code = [...texts, ...trees].join("\n");
    const unused: string[] = [];
    const visit = (command: Command) => {
      for (const option of command.options) {
        const name = option.attributeName();
        const read = new RegExp(`(\\.|\\{[^{}\n]*\\b|options\\.)${name}\\b|"--${option.name()}"`).test(code);
        if (!read && name !== "version") unused.push(`${command.name()} ${option.flags}`);
      }
      command.commands.forEach(visit);
    };
    visit(buildProgram(processSystem()).command);
    assert.deepEqual(unused, []);
  });

  it("complaint 33: read to the end and stop, or a number of records, or until nothing comes", async () => {
    await runHere(["stream", "create", "few"], { env: env() });
    await runHere(["stream", "append", "few"], { env: env(), input: '{"n":1}\n{"n":2}\n{"n":3}' });
    const count = async (...more: readonly string[]) => {
      const args = ["stream", "read", "few", "-o", "ndjson", ...more];
      const { code, stdout } = await runHere(args, { env: env() });
      assert.equal(code, 0);
      return stdout.trim().split("\n").length;
    };
    assert.equal(await count("--until", "latest"), 3);
    assert.equal(await count("--limit", "2"), 2);
    assert.equal(await count("--total", "1"), 1);
    assert.equal(await count("--timeout", "1"), 3);
  });

  it("complaint 39: never draw where input or output is no terminal", async () => {
    const child = spawn(process.execPath, [cliEntry, "sql"], { env: childEnv(env()), stdio: "pipe" });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.stdin.end("SELECT a FROM demo LIMIT 1;\n");
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), 0);
    assert.match(output, /│ a │/);
    assert.ok(!output.includes("\u001b"), "escape sequences in a pipe");
    // Input from a terminal, output into a pipe: a plain shell.
    const piped = new TestTerminal(["sql"], { env: env(), through: "cat" });
    await piped.until(/HStream at/);
    piped.type("SELECT a FROM demo LIMIT 1;\n");
    await piped.until(/1 row/);
    piped.type("\u0004");
    await piped.exit;
    assert.ok(!piped.bytes.includes("\u001b[?2004h"));
  });
});
