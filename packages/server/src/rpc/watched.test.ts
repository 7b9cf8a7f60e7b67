import assert from "node:assert/strict";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  type Attributes,
  type Context,
  propagation,
  type Span,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { must } from "@hstream/proto";
import { FetchClient } from "./fetch-client.test.helper.js";
import { batchOf, call, startTestServer, type TestServer } from "./test-server.test.helper.js";

interface Seen {
  readonly name: string;
  readonly attributes: Attributes;
  failure?: string;
}

/** A provider that keeps the spans that have ended, and tells of each. */
class Recording {
  readonly ended: Seen[] = [];
  readonly callers: unknown[] = [];
  #onEnd: () => void = () => {};

  constructor() {
    trace.setGlobalTracerProvider({
      getTracer: () => ({ startSpan: this.#start, startActiveSpan: this.#startActive }) as unknown as Tracer,
    });
    propagation.setGlobalPropagator({
      inject: () => undefined,
      fields: () => ["traceparent"],
      extract: (context: Context, carrier: unknown) => {
        this.callers.push((carrier as { traceparent?: unknown }).traceparent);
        return context;
      },
    });
  }

  async span(name: string): Promise<Seen> {
    for (;;) {
      const found = this.ended.find((span) => span.name.endsWith(name));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#onEnd = resolve;
      });
    }
  }

  readonly #start = (name: string, { attributes }: { attributes: Attributes }): Span => {
    const seen: Seen = { name, attributes: { ...attributes } };
    return {
      spanContext: () => ({ traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 }),
      setStatus: ({ message }: { message: string }) => {
        seen.failure = message;
      },
      setAttribute: (key: string, value: string) => {
        seen.attributes[key] = value;
      },
      end: () => {
        this.ended.push(seen);
        this.#onEnd();
      },
    } as unknown as Span;
  };

  readonly #startActive = (name: string, options: object, _: Context, work: (span: Span) => unknown) =>
    work(this.#start(name, options as { attributes: Attributes }));
}

describe("calls that stream", () => {
  let test: TestServer;
  let seen: Recording;

  beforeEach(async () => {
    seen = new Recording();
    test = await startTestServer();
    await call(test.api, test.api.createStream, {
      ...{ streamName: "s", replicationFactor: 1, backlogDuration: 0, shardCount: 1 },
    });
  });
  afterEach(async () => {
    trace.disable();
    propagation.disable();
    await test.close();
  });

  it("have a span from their opening to their close, with the status and nothing of what was sent", async () => {
    const { shards } = await call(test.api, test.api.listShards, { streamName: "s" });
    const { shardId } = must(shards[0], "it has one");
    await call(test.api, test.api.append, { streamName: "s", shardId, records: batchOf("secret") });
    const metadata = new Metadata();
    metadata.set("traceparent", "00-1-2-01");
    const reading = { readerId: "", streamName: "s", maxReadBatches: 1n };
    const read = test.api.readStream({ ...reading, from: undefined, until: undefined }, metadata);
    read.resume();
    const span = await seen.span("HStreamApi/ReadStream");
    const expected = { "rpc.system": "grpc", "rpc.grpc.status_code": 0 };
    assert.deepEqual(span, { name: "hstream.server.HStreamApi/ReadStream", attributes: expected });
    assert.equal(seen.callers.at(-1), "00-1-2-01");
    assert.ok(!JSON.stringify(seen.ended).includes("secret"));
  });

  it("say in it how they failed", async () => {
    const absent = new FetchClient(test.api, "absent", "c");
    assert.equal((await absent.ended)?.status, 5);
    const { attributes, failure } = await seen.span("HStreamApi/StreamingFetch");
    assert.deepEqual(attributes, {
      ...{ "rpc.system": "grpc", "rpc.grpc.status_code": 5, "error.type": "5" },
    });
    assert.equal(failure, "5");
    // One end each, although what follows an error ends the call once more.
    assert.equal(seen.ended.filter(({ name }) => name.endsWith("StreamingFetch")).length, 1);
  });

  it("end it when the caller goes, or has said all", async () => {
    const endless = { readerId: "", streamName: "s", maxReadBatches: 0n, from: undefined, until: undefined };
    const read = test.api.readStream(endless).on("error", () => {});
    await new Promise((resolve) => {
      read.on("metadata", resolve);
      setImmediate(resolve);
    });
    assert.deepEqual(
      seen.ended.filter(({ name }) => name.endsWith("ReadStream")),
      [],
    );
    // Open on the server as soon as a later call has been answered.
    await call(test.api, test.api.echo, { msg: "" });
    read.cancel();
    const cancelled = await seen.span("HStreamApi/ReadStream");
    assert.deepEqual(cancelled.attributes, { "rpc.system": "grpc", "rpc.grpc.status_code": 1 });
    assert.equal(cancelled.failure, undefined);
    const appending = test.ext.appendStream();
    appending.on("error", () => {}).resume();
    appending.end();
    const appended = await seen.span("HStreamExt/AppendStream");
    assert.equal(appended.attributes["rpc.grpc.status_code"], 0);
  });
});

describe("ids of calls over gRPC", () => {
  it("are in the log and with the caller, of unary calls and of those that stream", async () => {
    const lines: [string, unknown][] = [];
    const test = await startTestServer({
      flags: { "log-level": "debug" },
      openSql: () =>
        Promise.resolve({
          execute: () => {
            throw new Error("a defect");
          },
          close: () => Promise.resolve(),
        }),
      report: (_, message, cause) => lines.push([message, cause]),
    });
    const idOf = ({ metadata }: ServiceError) => String(metadata.get("x-request-id")[0]);
    const sql = test.ext.executeSql({ sql: "SELECT 'secret';" });
    const error = await new Promise<ServiceError>((resolve) => sql.on("error", resolve as () => void));
    const id = idOf(error);
    assert.match(id, /^[0-9a-f]{16}$/);
    assert.ok(!error.details.includes("a defect"));
    const unary = call(test.api, test.api.getStream, { name: "absent" });
    const other = idOf(
      await unary.then(
        () => assert.fail(),
        (reason: ServiceError) => reason,
      ),
    );
    assert.notEqual(other, id);
    await call(test.api, test.api.echo, { msg: "secret" });
    await test.close();
    const told = lines.filter(([message]) => message.includes("/hstream.server"));
    assert.deepEqual(
      told.map(([message]) => message),
      [
        `Unexpected: /hstream.server.HStreamExt/ExecuteSql (request ${id})`,
        "/hstream.server.HStreamExt/ExecuteSql 13",
        "/hstream.server.HStreamApi/GetStream 5",
        "/hstream.server.HStreamApi/Echo 0",
      ],
    );
    const facts = told.slice(1).map(([, cause]) => cause as { request: string; ms: number });
    assert.deepEqual([facts[0]?.request, facts[1]?.request], [id, other]);
    assert.ok(facts.every(({ request, ms }) => /^[0-9a-f]{16}$/.test(request) && ms >= 0));
    assert.ok(!JSON.stringify(told).includes("secret"));
  });

  it("are not made where nobody would see them", async () => {
    const test = await startTestServer();
    const refused = call(test.api, test.api.getStream, { name: "absent" });
    const error = await refused.then(
      () => assert.fail(),
      (reason: ServiceError) => reason,
    );
    assert.deepEqual(error.metadata.get("x-request-id"), []);
    await test.close();
  });
});
