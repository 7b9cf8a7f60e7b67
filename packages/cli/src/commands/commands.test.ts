import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HStreamClient, jsonRecord } from "@hstream/client";
import { type RealServer, startRealServer } from "../test-kit/real-server.js";
import { runHere } from "../test-kit/run-here.js";

describe("the commands", function () {
  this.timeout(20_000);
  let server: RealServer;
  let directory: string;
  const run = (args: readonly string[], input?: string, env: Record<string, string> = {}) =>
    runHere(args, {
      env: {
        HSTREAM_PORT: String(server.port),
        XDG_CONFIG_HOME: directory,
        XDG_CACHE_HOME: directory,
        ...env,
      },
      ...(input === undefined ? {} : { input }),
    });

  before(async () => {
    server = await startRealServer();
    directory = await mkdtemp(join(tmpdir(), "hstream-commands-"));
    await run(["stream", "create", "demo"]);
  });
  after(() => server.stop());

  it("append what standard input and files hold, and consume it again", async () => {
    const sent = await run(["stream", "append", "demo", "-o", "json"], 'k@{"n":1}\n\n{"n":2}');
    assert.deepEqual([sent.code, sent.stdout], [0, '{"stream":"demo","appended":2}\n']);
    const file = join(directory, "table.csv");
    await writeFile(file, "n,city\n3,Wien\n");
    assert.equal((await run(["stream", "append", "demo", file])).code, 0);
    await run(["sub", "create", "s1", "--stream", "demo", "--offset", "earliest"]);
    const got = await run(["sub", "consume", "s1", "--limit", "3", "-o", "ndjson"]);
    assert.equal(got.code, 0);
    const lines = got.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      lines.map(({ key, value }) => [key, value]),
      [
        ["k", { n: 1 }],
        ["", { n: 2 }],
        ["", { n: 3, city: "Wien" }],
      ],
    );
    assert.equal((await run(["sub", "consume", "none"])).code, 3);
  });

  it("complaint 33: end when nothing has come for the given time", async () => {
    await run(["sub", "create", "s2", "--stream", "demo"]);
    const idle = await run(["sub", "consume", "s2", "--timeout", "1", "-o", "ndjson"]);
    assert.deepEqual([idle.code, idle.stdout], [0, ""]);
  });

  it("abuse 27: name the line of a bad record, and keep the ones before it", async () => {
    await run(["stream", "create", "bad"]);
    const { code, stderr } = await run(["stream", "append", "bad"], '{"a":1}\n{"a":2}\n{"a"\n{"a":4}\n');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^error: standard input, line 3: .*\nhint: What stands before it is appended: 2 records\.\n$/,
    );
    assert.equal((await run(["sql", "-o", "csv", "-e", "SELECT COUNT(*) AS n FROM bad;"])).stdout, "n\n2\n");
    assert.equal((await run(["stream", "append", "bad", "/none"])).code, 1);
    assert.equal((await run(["stream", "append", "none"], "{}")).code, 3);
  });

  it("list, describe and delete views, and list and end queries", async () => {
    await run(["sql", "-e", "CREATE VIEW v AS SELECT n, COUNT(*) AS c FROM demo GROUP BY n;"]);
    assert.equal(JSON.parse((await run(["view", "list", "-o", "json"])).stdout)[0].name, "v");
    assert.deepEqual(
      JSON.parse((await run(["view", "describe", "v", "-o", "json"])).stdout).columns.map(
        (one: { column: string }) => one.column,
      ),
      ["n", "c"],
    );
    assert.match((await run(["view", "list", "-o", "yaml"])).stdout, /^- name: "v"\n {2}status: "RUNNING"\n/);
    assert.equal((await run(["view", "delete", "v"])).code, 0);
    assert.equal((await run(["view", "delete", "v"])).code, 3);
    assert.equal((await run(["view", "delete", "v", "--if-exists"])).code, 0);
    assert.equal((await run(["query", "list", "-o", "json"])).stdout, "[]\n");
    assert.equal((await run(["query", "terminate", "none"])).code, 3);
  });

  it("look at the nodes, and at what this program needs", async () => {
    assert.match(
      (await run(["node", "status", "-o", "csv"])).stdout,
      /^node_id,host,port,state\n\d+,127.0.0.1,\d+,RUNNING\n$/,
    );
    assert.equal((await run(["node", "check-running"])).code, 0);
    assert.equal((await run(["node", "check-running", "-n", "2"])).code, 1);
    assert.equal((await run(["init"])).code, 0);
    const checks = JSON.parse((await run(["doctor", "-o", "json"])).stdout) as {
      check: string;
      finding: string;
    }[];
    assert.equal(checks.find(({ check }) => check === "server")?.finding, "ok");
    assert.equal((await run(["doctor", "--port", "1"])).code, 5);
  });

  it("keep names for servers, weaker than flags and the environment", async () => {
    const bare = (args: readonly string[]) => runHere(args, { env: { XDG_CONFIG_HOME: directory } });
    assert.equal((await bare(["context", "add", "here", server.url])).code, 0);
    assert.equal((await bare(["context", "add", "gone", "hstream://127.0.0.1:1"])).code, 0);
    assert.equal((await bare(["stream", "list"])).code, 0, "the first one is used");
    assert.equal((await bare(["context", "use", "gone"])).code, 0);
    assert.equal((await bare(["stream", "list"])).code, 5);
    assert.equal((await bare(["stream", "list", "--port", String(server.port)])).code, 0);
    assert.equal((await bare(["stream", "list", "--context", "here"])).code, 0);
    assert.equal((await bare(["context", "use", "-"])).code, 0);
    assert.equal((await bare(["stream", "list"])).code, 0);
    assert.match((await bare(["context", "use", "hree"])).stderr, /did you mean here\?/);
    assert.equal((await bare(["context", "remove", "gone"])).code, 0);
    await writeFile(join(directory, "hstream", "contexts.json"), "{");
    const broken = await bare(["stream", "list"]);
    assert.deepEqual([broken.code, /contexts.json is not what/.test(broken.stderr)], [2, true], "abuse 36");
    await bare(["help"]);
    await writeFile(join(directory, "hstream", "contexts.json"), '{"urls":{}}');
  });

  it("complaint 34: complete words in a shell, names too, and never fail", async () => {
    const at = async (...words: string[]) =>
      (await run(["__complete", "--", ...words])).stdout.trim().split("\n");
    assert.deepEqual(await at("str"), ["stream"]);
    assert((await at("stream", "describe", "de")).includes("demo"));
    assert.deepEqual(await at("-o", "js"), ["json"]);
    assert((await at("stream", "create", "--rep")).includes("--replication-factor"));
    const alone = await run(["__complete", "--", "stream", "describe", "x"], undefined, {
      HSTREAM_PORT: "1",
    });
    assert.deepEqual([alone.code, alone.stdout, alone.stderr], [0, "", ""]);
    for (const shell of ["bash", "zsh", "fish"]) {
      assert.match((await run(["completion", shell])).stdout, /hstream __complete/);
    }
  });

  it("complaints 29 and 35: print an empty list as [] with code 0 in JSON", async () => {
    for (const noun of ["view", "query"]) {
      const { code, stdout } = await run([noun, "list", "-o", "json"]);
      assert.deepEqual([code, stdout], [0, "[]\n"], noun);
    }
  });

  it("complaint 30: can be run again in a script", async () => {
    for (let time = 0; time < 2; time += 1) {
      assert.equal((await run(["stream", "create", "again", "--if-not-exists"])).code, 0);
      assert.equal((await run(["sub", "create", "again", "--stream", "again", "--if-not-exists"])).code, 0);
    }
    for (let time = 0; time < 2; time += 1) {
      assert.equal((await run(["sub", "delete", "again", "--if-exists"])).code, 0);
      assert.equal((await run(["stream", "delete", "again", "--if-exists"])).code, 0);
    }
  });

  it("abuses 2 to 5, 10 and 37: refuse nonsense with code 2 and one line", async () => {
    const cases: readonly (readonly string[])[] = [
      ["nope"],
      ["stream", "list", "--nope"],
      ["stream", "list", "--port"],
      ...["-1", "65536", "abc", "6570abc", ""].map((port) => ["stream", "list", "--port", port]),
      ["stream", "list", "--service-url", "http://x"],
      ["stream", "list", "--tls-ca", "x.pem"],
      ["sub", "create", "x", "--stream", "demo", "--ack-timeout", "0"],
      ["completion", "tcsh"],
    ];
    for (const args of cases) {
      const { code, stdout, stderr } = await run(args);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.match(stderr, /^error: /, args.join(" "));
    }
    assert.equal((await run(["stream", "list"], undefined, { HSTREAM_OUTPUT: "xml" })).code, 2);
  });

  it("complaint 16, abuse 39: end with another code than 0 for every failure, errors on stderr", async () => {
    const failing: readonly (readonly [readonly string[], number])[] = [
      [["sql", "-e", "SELEC;"], 1],
      [["sql", "-f", "/none"], 1],
      [["sql", "-f", "/"], 1],
      [["stream", "describe", "none"], 3],
      [["stream", "create", "demo"], 3],
      [["sub", "describe", "none"], 3],
      [["stream", "list", "--port", "1"], 5],
    ];
    for (const [args, expected] of failing) {
      const { code, stdout, stderr } = await run([...args, "-o", "json"]);
      assert.deepEqual([code, stdout], [expected, ""], args.join(" "));
      assert.equal(typeof JSON.parse(stderr).error.message, "string");
    }
  });

  it("abuse 17: take names with anything in them for what they are", async () => {
    for (const name of ["with space", "quo'te", "emoji-🎈", '"', "--", "a/b", "../x", "x".repeat(300)]) {
      const { code, stderr } = await run(["stream", "describe", "--", name]);
      assert([1, 2, 3].includes(code ?? 0), `${name}: ${code} ${stderr}`);
      assert.match(stderr, /^error: /);
    }
  });

  it("abuse 40: serve a hundred at once", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => run(["stream", "list", "-o", "json"])));
    assert(all.every(({ code }) => code === 0));
  });

  it("describe themselves to programs", async () => {
    const tree = JSON.parse((await run(["help", "--json"])).stdout) as { commands: { name: string }[] };
    const names = tree.commands.map(({ name }) => name);
    for (const name of [
      "server",
      "quickstart",
      "sql",
      "stream",
      "subscription",
      "query",
      "view",
      "node",
      "init",
      "context",
      "completion",
      "doctor",
    ]) {
      assert(names.includes(name), name);
    }
    for (const topic of ["exit-codes", "environment", "output", "contexts", "sql"]) {
      const { code, stdout } = await run(["help", topic]);
      assert.equal(code, 0);
      assert(stdout.length > 100, topic);
    }
  });

  it("append a hundred thousand records without losing one", async () => {
    const bare = await HStreamClient.connect(server.url);
    await bare.streams.create("fast");
    const lines = Array.from({ length: 100_000 }, (_, n) => `{"id":${n},"name":"n${n % 100}"}`).join("\n");
    const { stdout } = await run(["stream", "append", "fast", "-o", "json"], lines);
    assert.equal(stdout, '{"stream":"fast","appended":100000}\n');
    await bare.close();
  });

  it("append each record once when an answer is lost with its connection", async () => {
    const bare = await HStreamClient.connect(server.url);
    await bare.streams.create("once");
    const type = jsonRecord<{ id: number }>();
    const stored = async () => {
      const ids: number[] = [];
      for await (const { value } of bare.read("once", { until: "latest", type })) ids.push(value.id);
      return ids;
    };
    let broken = 0;
    const proxy = createServer((socket) => {
      const upstream = connect(server.port, "127.0.0.1");
      for (const end of [socket, upstream]) end.on("error", () => {});
      upstream.on("close", () => socket.destroy());
      socket.on("close", () => upstream.destroy());
      let sent = 0;
      socket.on("data", (bytes) => {
        sent += bytes.length;
        upstream.write(bytes);
      });
      upstream.on("data", (bytes) => {
        // What the server says once it has the records is lost, twice; then the connection is.
        if (broken === 2 || sent < 10_000) socket.write(bytes);
        else
          void stored().then(({ length }) => {
            if (length === 0 || socket.destroyed) return;
            broken += 1;
            socket.resetAndDestroy();
          });
      });
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    const { port } = proxy.address() as AddressInfo;
    // Less than what may be sent without a word from the server.
    const ids = Array.from({ length: 1_000 }, (_, id) => id);
    const lines = ids.map((id) => `{"id":${id}}`).join("\n");
    const env = { HSTREAM_PORT: String(port) };
    const { stdout, stderr } = await run(["stream", "append", "once", "-o", "json"], lines, env);
    proxy.close();
    assert.equal(stdout, '{"stream":"once","appended":1000}\n', stderr);
    assert.equal(broken, 2);
    assert.deepEqual(await stored(), ids);
    await bare.close();
  });
});
