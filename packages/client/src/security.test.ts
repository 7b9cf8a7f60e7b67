import assert from "node:assert/strict";
import { HStreamClient, textRecord } from "./index.js";
import { certificates } from "@hstream/proto/testing";
import { type RealServer, startRealServer, writeSecrets } from "./real-server.test.helper.js";

const { ca, server: serverPair, client: clientPair, expired } = certificates;
const token = "YWRhOnNlY3JldA==";

describe("a secure connection", () => {
  const secrets = writeSecrets({
    "ca.crt": ca.cert,
    "server.crt": serverPair.cert,
    "server.key": serverPair.key,
    tokens: `admin ${token}\nread cmVhZGVy\n`,
  });
  const tls = { "tls.cert": secrets.path("server.crt"), "tls.key": secrets.path("server.key") };
  let server: RealServer;
  let mutual: RealServer;

  before(async () => {
    server = await startRealServer({ ...tls, "tokens-file": secrets.path("tokens") }, "hstreams");
    mutual = await startRealServer({ ...tls, "tls.ca": secrets.path("ca.crt") }, "hstreams");
  });
  after(async () => {
    await Promise.all([server.stop(), mutual.stop()]);
    secrets.remove();
  });

  /** Everything that has a call of its own: unary, consumer, reader, append stream, SQL. */
  async function useAll(client: HStreamClient, name: string): Promise<void> {
    const type = textRecord();
    await client.streams.create(name);
    await client.subscriptions.create(`${name}_sub`, { stream: name, offset: "earliest" });
    await client.append(name, ["a"], { type });
    {
      await using appends = await client.appendStream(name, { type });
      await appends.append(["b"]);
    }
    const read: string[] = [];
    for await (const { value } of client.read(name, { type, until: "latest" })) read.push(value);
    assert.deepEqual(read, ["a", "b"]);
    const consumed: string[] = [];
    for await (const record of client.consume(`${name}_sub`, { type, autoAck: true })) {
      consumed.push(record.value);
      if (consumed.length === 2) break;
    }
    assert.deepEqual(consumed, ["a", "b"]);
    assert.deepEqual(await client.query("SELECT 1 AS one;").all(), [{ one: 1 }]);
  }

  it("carries every call over TLS, with a token", async () => {
    await using client = await HStreamClient.connect(server.url, { tls: { ca: ca.cert }, token });
    await useAll(client, "over_tls");
  });

  it("shows the client's certificate to servers that ask for it", async () => {
    const { cert, key } = clientPair;
    await using client = await HStreamClient.connect(mutual.url, {
      tls: { ca: Buffer.from(ca.cert), cert, key: Buffer.from(key) },
    });
    await useAll(client, "over_mtls");
  });

  it("is not made without the certificate that the server asks for, or with one out of date", async () => {
    const { cert, key } = expired;
    await assert.rejects(HStreamClient.connect(mutual.url, { tls: { ca: ca.cert } }), {
      reason: "unavailable",
    });
    await assert.rejects(HStreamClient.connect(mutual.url, { tls: { ca: ca.cert, cert, key } }), {
      reason: "unavailable",
    });
  });

  it("is not made with a server that nobody vouches for, or of another name", async () => {
    await assert.rejects(HStreamClient.connect(server.url, { token }), { reason: "unavailable" });
    const options = { tls: { ca: ca.cert, serverName: "elsewhere" }, token };
    await assert.rejects(HStreamClient.connect(server.url, options), { reason: "unavailable" });
    await using client = await HStreamClient.connect(server.url, {
      tls: { ca: ca.cert, serverName: "localhost" },
      token,
    });
    assert.equal(await client.echo("hé"), "hé");
  });

  it("is refused without a token or with a wrong one, and a token is held to its role", async () => {
    const options = { tls: { ca: ca.cert } };
    await assert.rejects(HStreamClient.connect(server.url, options), { grpcStatus: 16 });
    await assert.rejects(HStreamClient.connect(server.url, { ...options, token: "wrong" }), {
      grpcStatus: 16,
    });
    await using reader = await HStreamClient.connect(server.url, { ...options, token: "cmVhZGVy" });
    await reader.streams.list();
    await assert.rejects(reader.streams.create("mine"), { grpcStatus: 7 });
  });

  it("is a matter of the URL, so that nobody believes himself safe who is not", async () => {
    const plain = server.url.replace("hstreams", "hstream");
    await assert.rejects(HStreamClient.connect(plain, { tls: { ca: ca.cert } }), { reason: "usage" });
    await assert.rejects(HStreamClient.connect(plain, { token }), { reason: "unavailable" });
    await assert.rejects(HStreamClient.connect(server.url, { tls: { ca: ca.cert, cert: clientPair.cert } }), {
      reason: "usage",
    });
    await assert.rejects(HStreamClient.connect(server.url, { token: "a\nb" }), { reason: "usage" });
    await assert.rejects(HStreamClient.connect(server.url, { tls: { ca: ca.cert, cert: "x", key: "y" } }), {
      reason: "usage",
      message: /cannot be used/,
    });
  });
});
