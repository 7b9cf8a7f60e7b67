import assert from "node:assert/strict";
import { once } from "node:events";
import { access, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HStreamClient } from "@hstream/client";
import { type RunningCli, runCli, startCli } from "../test-kit/run-cli.js";

async function startServer(
  dataDir: string,
  flags: readonly string[] = [],
): Promise<{ readonly cli: RunningCli; readonly port: string }> {
  const cli = startCli(["server", "start", "--data-dir", dataDir, "--port", "0", ...flags]);
  const line = await cli.until(/ready in \d+ ms on [\d.]+:\d+, try: hstream sql --port \d+\n/);
  const port = /:(\d+),/.exec(line)?.[1];
  assert(port !== undefined);
  return { cli, port };
}

describe("a server from the command line", function () {
  this.timeout(60_000);
  let dataDir: string;
  let server: Awaited<ReturnType<typeof startServer>>;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "hstream-server-"));
    server = await startServer(dataDir);
  });
  afterEach(async () => {
    server.cli.process.kill("SIGKILL");
    await server.cli.ended;
  });

  it("keeps what was acknowledged when it is killed and started again", async () => {
    const run = (args: readonly string[]) => runCli(args, { env: { HSTREAM_PORT: server.port } });
    assert.equal((await run(["stream", "create", "demo"])).code, 0);
    assert.equal((await run(["sql", "-e", "INSERT INTO demo (a, b) VALUES (1, 'x');"])).code, 0);
    const select = ["sql", "-o", "json", "-e", "SELECT a, b FROM demo;"];
    assert.equal((await run(select)).stdout, '[{"a":1,"b":"x"}]\n');
    server.cli.process.kill("SIGKILL");
    await server.cli.ended;
    server = await startServer(dataDir);
    assert.equal((await run(select)).stdout, '[{"a":1,"b":"x"}]\n');
  });

  it("ends 0 after SIGTERM, also while a push query runs", async () => {
    await using client = await HStreamClient.connect(`hstream://127.0.0.1:${server.port}`);
    await client.streams.create("demo");
    const push = startCli(["sql", "-o", "ndjson", "-e", "SELECT a FROM demo EMIT CHANGES;"], {
      HSTREAM_PORT: server.port,
    });
    await insertUntilSeen(client, push);
    server.cli.process.kill("SIGTERM");
    assert.equal((await server.cli.ended).code, 0);
    const { code, stderr } = await push.ended;
    assert.notEqual(code, 0);
    assert.match(stderr, /^\{"error":.*shutting down.*\}\n$/);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });

  it("answers REST where --http-port says", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, "close");
    server.cli.process.kill("SIGKILL");
    await server.cli.ended;
    server = await startServer(dataDir, ["--http-port", String(port)]);
    assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
  });

  it("tells what it does in JSON lines, or in words where that is asked for", async () => {
    server.cli.process.kill("SIGTERM");
    const { stderr } = await server.cli.ended;
    const messages = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      messages.map(({ level, msg }) => [level, msg]),
      [[30, `Listening on 127.0.0.1:${server.port}.`]],
    );
    server = await startServer(dataDir, ["--set", "log-format=text"]);
    server.cli.process.kill("SIGTERM");
    assert.equal((await server.cli.ended).stderr, `info: Listening on 127.0.0.1:${server.port}.\n`);
  });

  it("prints each row of a push query as another process inserts it", async () => {
    await using client = await HStreamClient.connect(`hstream://127.0.0.1:${server.port}`);
    await client.streams.create("demo");
    const push = startCli(["sql", "-o", "ndjson", "-e", "SELECT a FROM demo EMIT CHANGES;"], {
      HSTREAM_PORT: server.port,
    });
    await insertUntilSeen(client, push);
    for (let a = 1; a <= 9; a += 1) {
      await client.sql(`INSERT INTO demo (a) VALUES (${a});`).finish();
      await push.until(new RegExp(`\\{"a":${a}\\}\\n`));
    }
    push.process.kill("SIGINT");
    assert.equal((await push.ended).code, 130);
  });

  it("says in words why it cannot start", async () => {
    const taken = await runCli(["server", "start", "--data-dir", dataDir, "--port", "0"]);
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, /^error: Cannot open the data in .* in use/);
    const unknown = await runCli(["server", "start", "--set", "fsnc=never"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /fsnc is not a setting. Did you mean fsync\?/);
    const missing = await runCli(["server", "start", "--config", "/nonexistent.yaml"]);
    assert.equal(missing.code, 2);
  });
});

describe("a server with tokens", function () {
  this.timeout(60_000);

  it("takes new ones on SIGHUP, and keeps the old ones when the file cannot be used", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "hstream-tokens-"));
    const file = join(dataDir, "tokens");
    await writeFile(file, "admin first\n");
    const { cli, port } = await startServer(join(dataDir, "data"), ["--set", `tokens-file=${file}`]);
    const session = connect(`http://127.0.0.1:${port}`);
    const isTaken = async (token: string) => {
      const call = session.request({
        ":method": "POST",
        ":path": "/hstream.server.HStreamApi/Echo",
        "content-type": "application/grpc",
        te: "trailers",
        authorization: `Basic ${token}`,
      });
      let status: unknown;
      for (const event of ["response", "trailers"] as const) {
        call.on(event, (headers: Record<string, unknown>) => {
          status = headers["grpc-status"] ?? status;
        });
      }
      call.resume();
      // An empty message in the framing of gRPC.
      call.end(Buffer.alloc(5));
      await once(call, "close");
      return status === "0";
    };
    assert.deepEqual([await isTaken("first"), await isTaken("second")], [true, false]);
    await writeFile(file, "admin second\n");
    cli.process.kill("SIGHUP");
    // By itself the server would look at the file after ten seconds only.
    const deadline = Date.now() + 5_000;
    while (!(await isTaken("second"))) assert.ok(Date.now() < deadline, "the new token is not taken");
    assert.equal(await isTaken("first"), false);
    await writeFile(file, "nonsense\n");
    cli.process.kill("SIGHUP");
    assert.equal(await isTaken("second"), true);
    session.close();
    cli.process.kill("SIGTERM");
    const { code, stderr } = await cli.ended;
    assert.equal(code, 0);
    assert.match(stderr, /The file of tokens cannot be used/);
  });
});

/** The first row tells that the query runs; before, an insertion could come too early for it. */
async function insertUntilSeen(client: HStreamClient, push: RunningCli): Promise<void> {
  let seen = false;
  const first = push.until(/\{"a":0\}\n/).then(() => {
    seen = true;
  });
  while (!seen) await client.sql("INSERT INTO demo (a) VALUES (0);").finish();
  await first;
}

describe("the quickstart", function () {
  this.timeout(60_000);

  it("prints the figures that plain JavaScript finds in the file, for every origin", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "hstream-quickstart-"));
    const quickstart = await runCli(["quickstart", "-o", "json", "--data-dir", dataDir]);
    assert.deepEqual([quickstart.code, quickstart.stderr], [0, ""]);
    const expected = await expectedFigures();
    const printed = quickstart.stdout.split("\n").find((line) => line.startsWith("[{"));
    assert.deepEqual(JSON.parse(printed ?? ""), expected.slice(0, 10));
    // The data are still there: ask for all origins, of the stream and of the view.
    const { cli, port } = await startServer(dataDir);
    try {
      const columns = "origin, COUNT(*) AS flights, AVG(delay) AS mean_delay";
      const all = await runCli(
        [
          "sql",
          "-o",
          "json",
          "-e",
          `SELECT ${columns} FROM flights GROUP BY origin ORDER BY flights DESC, origin;`,
        ],
        { env: { HSTREAM_PORT: port } },
      );
      assert.deepEqual(JSON.parse(all.stdout), expected);
    } finally {
      cli.process.kill("SIGTERM");
      assert.equal((await cli.ended).code, 0);
    }
  });

  it("samples the machine when asked, and ends by itself off a terminal", async () => {
    const quickstart = await runCli(["quickstart", "--source", "host"]);
    assert.deepEqual([quickstart.code, quickstart.stderr], [0, ""]);
    assert.match(quickstart.stdout, /│ host +│ samples │ +mean_cpu │/);
    const dataDir = /its data in (.+)/.exec(quickstart.stdout)?.[1] ?? "";
    await assert.rejects(access(dataDir));
  });
});

async function expectedFigures() {
  const data = new URL("../../../../node_modules/vega-datasets/data/flights-20k.json", import.meta.url);
  const flights = JSON.parse(await readFile(data, "utf8")) as {
    origin: string;
    delay: number;
  }[];
  const origins = new Map<string, { flights: number; delay: number }>();
  for (const { origin, delay } of flights) {
    const sums = origins.get(origin) ?? { flights: 0, delay: 0 };
    origins.set(origin, { flights: sums.flights + 1, delay: sums.delay + delay });
  }
  return [...origins]
    .map(([origin, sums]) => ({ origin, flights: sums.flights, mean_delay: sums.delay / sums.flights }))
    .sort((a, b) => b.flights - a.flights || (a.origin < b.origin ? -1 : 1));
}
