import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { type ChannelCredentials, credentials, Metadata } from "@grpc/grpc-js";
import { type AppendStreamResponse, HStreamApiClient, HStreamExtClient, must } from "@hstream/proto";
import { createNodeEnv } from "../env/node-env.js";
import { SimulatedDisk } from "../env/simulated-disk.js";
import { limits } from "../limits.js";
import { openQueries } from "../queries/open-queries.js";
import { ServerStartError } from "../server.js";
import { certificates } from "@hstream/proto/testing";
import { FetchClient } from "./fetch-client.test.helper.js";
import { openSocket } from "./raw-client.test.helper.js";
import { batchOf, call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";
import { Tokens } from "./tokens.js";

const { ca, server: serverPair, renewed, client, expired } = certificates;

describe("tokens", () => {
  it("allow what their lines say", () => {
    const tokens = Tokens.parse("# people\n\nadmin aaa\nread bbb\r\nwrite:team_ ccc\n");
    assert.ok(tokens instanceof Tokens);
    assert.deepEqual(tokens.grantOf("Basic aaa"), {
      role: "admin",
      prefix: "",
      digest: digestIn(tokens, "aaa"),
    });
    assert.equal(tokens.grantOf("Bearer bbb")?.role, "read");
    assert.equal(tokens.grantOf("bearer  ccc")?.prefix, "team_");
    for (const wrong of [
      "",
      "aaa",
      "Basic",
      "Basic ",
      "Basic aa",
      "Basic aaaa",
      "Basic aaa bbb",
      "Digest aaa",
    ]) {
      assert.equal(tokens.grantOf(wrong), undefined, wrong);
    }
  });

  const digestIn = (tokens: Tokens, token: string) =>
    (tokens.grantOf(`Basic ${token}`) as unknown as { digest: Buffer }).digest;

  it("are refused as a file when a line is wrong, without telling the line", () => {
    for (const text of ["secret", "owner secret", "read", "read secret more", "", "# nothing"]) {
      const problem = Tokens.parse(text);
      assert.equal(typeof problem, "string");
      assert.ok(!String(problem).includes("secret"));
    }
    assert.match(String(Tokens.parse("read a\n".repeat(limits.tokensMax + 1))), /tokensMax/);
  });
});

describe("security over gRPC", () => {
  let test: TestServer | undefined;
  const opened: { close(): void }[] = [];

  afterEach(async () => {
    for (const each of opened.splice(0)) each.close();
    await test?.close();
    assert.deepEqual(test?.defects ?? [], []);
    test = undefined;
  });

  const diskWith = async (files: Record<string, string>) => {
    const disk = new SimulatedDisk();
    await disk.makeDirectory("/secrets");
    for (const [name, text] of Object.entries(files)) await write(disk, name, text);
    return disk;
  };
  const write = async (disk: SimulatedDisk, name: string, text: string) => {
    const path = `/secrets/${name}`;
    if (await disk.exists(path)) await disk.remove(path);
    const file = await disk.open(path, "create");
    await file.write([Buffer.from(text)], 0);
    await file.close();
  };
  const start = async (
    files: Record<string, string>,
    flags: Record<string, string>,
    rooms: Pick<Parameters<typeof startTestServer>[0] & object, "openSql"> = {},
  ) => {
    const disk = await diskWith(files);
    const paths = Object.fromEntries(
      Object.entries(flags).map(([flag, value]) => [
        flag,
        flag.includes(".") || flag === "tokens-file" ? `/secrets/${value}` : value,
      ]),
    );
    test = await startTestServer({ ...rooms, env: { ...createNodeEnv(), disk }, flags: paths });
    return { server: test, disk };
  };
  const tlsFiles = { cert: serverPair.cert, key: serverPair.key, ca: ca.cert };
  const tlsFlags = { "tls.cert": "cert", "tls.key": "key" };
  const connect = (how: ChannelCredentials, token?: string) => {
    const channel = must(test, "the server runs").server.address;
    const all =
      token === undefined
        ? how
        : credentials.combineChannelCredentials(
            how,
            credentials.createFromMetadataGenerator((_, done) => {
              const metadata = metadataWith(token);
              done(null, metadata);
            }),
          );
    const made = new HStreamApiClient(channel, all, { "grpc.use_local_subchannel_pool": 1 });
    opened.push(made);
    return made;
  };
  const metadataWith = (token: string) => {
    const metadata = new Metadata();
    metadata.set("authorization", token);
    return metadata;
  };
  const echo = (api: HStreamApiClient, metadata: Record<string, string> = {}) =>
    call(api, api.echo, { msg: "x" }, metadata);
  const tls = (pair?: { readonly key: string; readonly cert: string }) =>
    credentials.createSsl(
      Buffer.from(ca.cert),
      pair === undefined ? null : Buffer.from(pair.key),
      pair === undefined ? null : Buffer.from(pair.cert),
    );

  it("serves over TLS, and nothing over plain connections", async () => {
    await start(tlsFiles, tlsFlags);
    assert.equal((await echo(connect(tls()))).msg, "x");
    assert.equal((await failureOf(echo(connect(credentials.createInsecure())))).status, 14);
    // A certificate that our authority has not signed is not believed either.
    assert.equal((await failureOf(echo(connect(credentials.createSsl())))).status, 14);
  });

  it("asks for a client's certificate when it is told to", async () => {
    await start(tlsFiles, { ...tlsFlags, "tls.ca": "ca" });
    assert.equal((await echo(connect(tls(client)))).msg, "x");
    assert.equal((await failureOf(echo(connect(tls())))).status, 14);
    assert.equal((await failureOf(echo(connect(tls(expired))))).status, 14);
    assert.equal((await failureOf(echo(connect(tls({ ...serverPair }))))).status, 14);
  });

  it("speaks no TLS older than 1.2", async () => {
    const { server } = await start(tlsFiles, tlsFlags);
    const [host = "", port = ""] = server.server.address.split(":");
    const spoken = async (maxVersion: "TLSv1.1" | "TLSv1.2" | "TLSv1.3") => {
      // Our own side must be talked into the old ones.
      const old = { minVersion: "TLSv1", ciphers: "DEFAULT:@SECLEVEL=0" } as const;
      const socket = connectTls({
        host,
        port: Number(port),
        ca: ca.cert,
        ALPNProtocols: ["h2"],
        ...old,
        maxVersion,
      });
      try {
        await once(socket, "secureConnect");
        return socket.getProtocol();
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      } finally {
        socket.destroy();
      }
    };
    assert.equal(await spoken("TLSv1.3"), "TLSv1.3");
    assert.equal(await spoken("TLSv1.2"), "TLSv1.2");
    assert.match(String(await spoken("TLSv1.1")), /ALERT_PROTOCOL_VERSION/);
  });

  it("tells callers nothing of what went wrong inside, and the operator all of it", async () => {
    const told: string[] = [];
    test = await startTestServer({
      openSql: () =>
        Promise.resolve({
          execute: () => {
            throw new Error("EACCES: /var/lib/hstream/secret.log");
          },
          close: () => Promise.resolve(),
        }),
      report: (level, message, cause) => told.push(`${level} ${message} ${String(cause)}`),
    });
    const { api } = test;
    const failure = await failureOf(call(api, api.listQueries, {}));
    assert.equal(failure.status, 13);
    assert.doesNotMatch(JSON.stringify(failure), /secret|EACCES|at .*\.js/);
    assert.match(told.join("\n"), /^error .*ListQueries.*secret\.log/m);
  });

  it("closes connections of another protocol, and survives half a handshake", async () => {
    const { server } = await start(tlsFiles, tlsFlags);
    const [host = "", port = ""] = server.server.address.split(":");
    const options: ConnectionOptions = { host, port: Number(port), ca: ca.cert, ALPNProtocols: ["http/1.1"] };
    const socket = connectTls(options);
    socket.on("error", () => {});
    await new Promise((resolve) => socket.on("close", resolve));
    const half = await openSocket(server.server.address);
    half.write(Buffer.from("160301020001000001fc0303", "hex"));
    assert.equal((await echo(connect(tls()))).msg, "x");
    half.destroy();
  });

  it("shows a renewed certificate to new connections", async () => {
    const { server, disk } = await start(tlsFiles, tlsFlags);
    const [host = "", port = ""] = server.server.address.split(":");
    const shown = async () => {
      const socket = connectTls({ host, port: Number(port), ca: ca.cert, ALPNProtocols: ["h2"] });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const first = await shown();
    await write(disk, "cert", renewed.cert);
    await write(disk, "key", renewed.key);
    await server.server.reload();
    assert.notEqual(await shown(), first);
    // What cannot be used is reported, and changes nothing.
    await write(disk, "cert", "no certificate");
    await server.server.reload();
    assert.equal(server.defects.splice(0).length, 1);
    assert.notEqual(await shown(), first);
  });

  describe("with tokens", () => {
    const tokens = "admin root\nwrite writer\nread reader\nwrite:team_ team\nread:team_ guest\n";
    const stream = (streamName: string) => ({
      streamName,
      replicationFactor: 1,
      backlogDuration: 0,
      shardCount: 1,
    });
    const statusOf = async (answer: Promise<unknown>) =>
      await answer.then(
        () => 0,
        (error: { code: number }) => error.code,
      );

    it("refuses callers without a token, and with a wrong one", async () => {
      const { server } = await start({ tokens }, { "tokens-file": "tokens" });
      const refused = await failureOf(echo(server.api));
      assert.deepEqual([refused.status, refused.error], [16, 0]);
      assert.equal(await statusOf(echo(server.api, { authorization: "Basic wrong" })), 16);
      assert.equal(await statusOf(echo(server.api, { authorization: "root" })), 16);
      assert.equal(await statusOf(echo(server.api, { authorization: "Basic root" })), 0);
      assert.equal(await statusOf(echo(server.api, { authorization: "Bearer guest" })), 0);
      assert.equal((await new FetchClient(server.api, "s", "c").ended)?.status, 16);
      const sql = server.ext.executeSql({ sql: "SHOW STREAMS;" });
      sql.resume();
      const [error] = (await once(sql, "error")) as [{ code: number }];
      assert.equal(error.code, 16);
    });

    it("lets each role do its own", async () => {
      const { server } = await start({ tokens }, { "tokens-file": "tokens" });
      const { api } = server;
      const as = (token: string) => ({ authorization: `Basic ${token}` });
      const create = (name: string, token: string) =>
        statusOf(call(api, api.createStream, stream(name), as(token)));
      assert.equal(await create("a", "reader"), 7);
      assert.equal(await create("a", "writer"), 0);
      assert.equal(await statusOf(call(api, api.listStreams, {}, as("reader"))), 0);
      assert.equal(
        await statusOf(call(api, api.sendAdminCommand, { command: "server status" }, as("writer"))),
        7,
      );
      assert.equal(
        await statusOf(call(api, api.sendAdminCommand, { command: "server status" }, as("root"))),
        0,
      );
      const { shards } = await call(api, api.listShards, { streamName: "a" }, as("reader"));
      const shardId = must(shards[0], "it has one").shardId;
      const append = (token: string) =>
        statusOf(call(api, api.append, { streamName: "a", shardId, records: batchOf("x") }, as(token)));
      assert.equal(await append("reader"), 7);
      assert.equal(await append("writer"), 0);
    });

    it("lets a reader run SQL that only reads, and a writer any", async () => {
      const { server } = await start({ tokens }, { "tokens-file": "tokens" }, { openSql: openQueries });
      const { api, ext } = server;
      const as = (token: string) => ({ authorization: `Basic ${token}` });
      const executeSql = async (sql: string, token: string) => {
        const metadata = new Metadata();
        metadata.set("authorization", `Basic ${token}`);
        const answer = ext.executeSql({ sql }, metadata);
        answer.resume().on("error", () => {});
        return await new Promise<number>((resolve) => answer.on("status", ({ code }) => resolve(code)));
      };
      const executeQuery = (stmtText: string, token: string) =>
        statusOf(call(api, api.executeQuery, { stmtText }, as(token)));
      assert.equal(await executeSql("CREATE STREAM s;", "reader"), 7);
      assert.equal(await executeSql("CREATE STREAM s;", "writer"), 0);
      const insert = "INSERT INTO s (a) VALUES (1);";
      assert.equal(await executeSql(`SHOW STREAMS; ${insert}`, "reader"), 7);
      assert.equal(await executeSql(insert, "writer"), 0);
      assert.equal(await executeSql("SHOW STREAMS; SELECT * FROM s; DESCRIBE s;", "reader"), 0);
      assert.equal(await executeQuery("EXPLAIN SELECT * FROM s;", "reader"), 0);
      assert.equal(await executeQuery("DROP STREAM s;", "reader"), 7);
      // Such a request names nothing that a prefix could allow.
      assert.equal(await executeSql("SELECT * FROM team_a;", "guest"), 7);
    });

    it("keeps every append of a stream of them to the names of its token", async () => {
      const { server } = await start({ tokens }, { "tokens-file": "tokens" });
      const { api, ext } = server;
      const root = { authorization: "Basic root" };
      const shardOf = async (name: string) => {
        await call(api, api.createStream, stream(name), root);
        const { shards } = await call(api, api.listShards, { streamName: name }, root);
        return must(shards[0], "it has one").shardId;
      };
      const [own, foreign] = [await shardOf("team_a"), await shardOf("theirs")];
      /** How many are answered, and the status of the call, with so many messages of requests to shards. */
      const appendAll = async (messages: readonly (readonly bigint[])[]) => {
        const metadata = new Metadata();
        metadata.set("authorization", "Basic team");
        const appends = ext.appendStream(metadata);
        let answers = 0;
        appends.on("data", ({ more }: AppendStreamResponse) => (answers += 1 + more.length));
        appends.on("error", () => {});
        const ended = new Promise<number>((resolve) => appends.on("status", ({ code }) => resolve(code)));
        let requestId = 0n;
        const requestOf = (shardId: bigint) => {
          const streamName = requestId++ > 0n ? "" : "team_a";
          const records = batchOf("x");
          return { requestId, streamName, shardId, records, producerId: "", sequence: 0n, more: [] };
        };
        for (const [first = 0n, ...more] of messages) {
          appends.write({ ...requestOf(first), more: more.map(requestOf) });
        }
        appends.end();
        return { status: await ended, answers };
      };
      assert.deepEqual(await appendAll([[own, own, own], [own]]), { status: 0, answers: 4 });
      assert.equal((await appendAll([[foreign]])).status, 7);
      assert.equal((await appendAll([[own, foreign]])).status, 7);
      assert.equal((await appendAll([[own], [own, foreign]])).status, 7);
      assert.equal((await appendAll([[own], [foreign]])).status, 7);
    });

    it("keeps a token with a prefix to its names", async () => {
      const { server } = await start({ tokens }, { "tokens-file": "tokens" });
      const { api } = server;
      const team = { authorization: "Basic team" };
      assert.equal(await statusOf(call(api, api.createStream, stream("other"), team)), 7);
      assert.equal(await statusOf(call(api, api.createStream, stream("team_a"), team)), 0);
      assert.equal(await statusOf(call(api, api.listStreams, {}, team)), 7);
      assert.equal(await statusOf(call(api, api.listStreamsWithPrefix, { prefix: "team_" }, team)), 0);
      const { shards } = await call(api, api.listShards, { streamName: "team_a" }, team);
      const shardId = must(shards[0], "it has one").shardId;
      const append = (streamName: string, shard: bigint) =>
        statusOf(call(api, api.append, { streamName, shardId: shard, records: batchOf("x") }, team));
      assert.equal(await append("team_a", shardId), 0);
      await call(api, api.createStream, stream("theirs"), { authorization: "Basic root" });
      const foreign = (
        await call(api, api.listShards, { streamName: "theirs" }, { authorization: "Basic root" })
      ).shards;
      assert.equal(await append("team_a", must(foreign[0], "it has one").shardId), 7);
      const subscription = (subscriptionId: string, streamName: string) =>
        statusOf(
          call(
            api,
            api.createSubscription,
            { subscriptionId, streamName, ackTimeoutSeconds: 1, maxUnackedRecords: 1, offset: 0 },
            team,
          ),
        );
      assert.equal(await subscription("team_s", "theirs"), 7);
      assert.equal(await subscription("s", "team_a"), 7);
      assert.equal(await subscription("team_s", "team_a"), 0);
      const consumer = new FetchClient(api, "team_s", "c", team);
      const [record] = await consumer.records(1);
      assert.equal(record?.text, "x");
      // Acks need not name the subscription again.
      consumer.stream.write({ subscriptionId: "", consumerName: "", ackIds: [must(record, "it came").id] });
      assert.equal(await append("team_a", shardId), 0);
      await consumer.records(2);
      consumer.stream.cancel();
      await consumer.ended;
      assert.equal((await new FetchClient(api, "elsewhere", "c", team).ended)?.status, 7);
    });

    it("checks later calls against new tokens", async () => {
      const { server, disk } = await start({ tokens }, { "tokens-file": "tokens" });
      await write(disk, "tokens", "admin fresh\n");
      await server.server.reload();
      assert.equal(await statusOf(echo(server.api, { authorization: "Basic root" })), 16);
      assert.equal(await statusOf(echo(server.api, { authorization: "Basic fresh" })), 0);
    });

    it("takes them over TLS, too", async () => {
      await start({ ...tlsFiles, tokens }, { ...tlsFlags, "tokens-file": "tokens" });
      assert.equal(await statusOf(echo(connect(tls(), "Bearer root"))), 0);
      assert.equal(await statusOf(echo(connect(tls(), "Bearer wrong"))), 16);
      const ext = new HStreamExtClient(must(test, "it runs").server.address, tls());
      opened.push(ext);
    });
  });

  it("does not start when it would be open to everybody, or with secrets that it cannot read", async () => {
    const refused = async (flags: Record<string, string>, files: Record<string, string> = {}) => {
      const failure = await start(files, flags).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.ok(failure instanceof ServerStartError, JSON.stringify(flags));
      return failure.message;
    };
    for (const host of ["0.0.0.0", "::"]) assert.match(await refused({ host }), /allow-insecure/);
    assert.match(await refused({ host: "0.0.0.0", ...tlsFlags }, tlsFiles), /tokens-file/);
    assert.match(await refused({ "tls.cert": "cert" }, tlsFiles), /tls.key/);
    assert.match(await refused({ "tls.ca": "ca" }, tlsFiles), /tls.cert/);
    assert.match(await refused(tlsFlags), /cannot be read/);
    assert.match(await refused(tlsFlags, { cert: "x", key: serverPair.key }), /PEM/);
    assert.match(await refused({ "tokens-file": "t" }, { t: "nobody secret" }), /Line 1/);
    assert.match(await refused({ "tokens-file": "t" }, { t: "" }), /no tokens/);
    await start({}, { host: "0.0.0.0", "allow-insecure": "true" });
  });
});
