import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningCli, runCli, startCli } from "../test-kit/run-cli.js";

describe("the tools for the log", () => {
  let directory: string;
  const servers: RunningCli[] = [];
  const startServer = async (dataDir: string) => {
    const server = startCli(["server", "start", "--set", "port=0", "--data-dir", dataDir]);
    servers.push(server);
    const url = /on (\S+),/.exec(await server.until(/ready in .* on (\S+), /))?.[1] ?? "";
    return { url: `hstream://${url}`, server };
  };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "hstream-log-tools-"));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.process.kill("SIGKILL");
      await server.ended;
    }
    await rm(directory, { recursive: true });
  });

  it("back up a running server; verify, dump, repair and restore its log", async function () {
    this.timeout(60_000);
    const data = join(directory, "data");
    const backup = join(directory, "backup");
    const { url, server } = await startServer(data);
    const created = await runCli(["--service-url", url, "stream", "create", "demo"]);
    assert.equal(created.code, 0, created.stderr);
    const saved = await runCli(["-o", "json", "backup", data, backup]);
    assert.equal(saved.code, 0, saved.stderr);
    assert.ok(JSON.parse(saved.stdout).bytes > 0);
    const held = await runCli(["log", "verify", data]);
    assert.equal(held.code, 1);
    assert.match(held.stderr, /in use by .*HStream server/);
    server.process.kill("SIGTERM");
    await server.ended;

    const verified = await runCli(["log", "verify", data]);
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stderr, /nothing is wrong/);
    const dumped = await runCli(["log", "dump", data]);
    assert.ok(dumped.stdout.trim().split("\n").length > 3);
    const segments = (await readdir(join(data, "log"))).filter((name) => name.endsWith(".segment"));
    const path = join(data, "log", segments[0] ?? "");
    const bytes = await readFile(path);
    bytes[150] = (bytes[150] ?? 0) ^ 1;
    await writeFile(path, bytes);
    assert.equal((await runCli(["log", "verify", data])).code, 1);
    const repaired = await runCli(["log", "repair", data]);
    assert.match(repaired.stdout, /damaged/, repaired.stderr);

    const restored = join(directory, "restored");
    assert.equal((await runCli(["restore", backup, restored])).code, 0);
    assert.equal((await runCli(["restore", backup, restored])).code, 3);
    const again = await startServer(restored);
    const list = await runCli(["--service-url", again.url, "stream", "list"]);
    assert.match(list.stdout, /demo/);
  });
});
