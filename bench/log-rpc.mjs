/** The cases of the log's benchmark that go through gRPC: a server of its own, and the same client for all. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import {
  AppendRequest,
  AppendResponse,
  AppendStreamRequest,
  AppendStreamResponse,
  BatchHStreamRecords,
  HStreamApiClient,
  HStreamApiService,
  HStreamExtService,
} from "../packages/proto/dist/index.js";
import { root } from "../scripts/ready.mjs";
import { serve } from "../scripts/serve.mjs";
import { answerMethod } from "./plain-stream.mjs";

const same = (message) => message;
const unaryInFlight = 64;
const streamInFlight = 1_024;
/** Of 1 KB each: 256 KB, as much as @hstream/client puts into one message. */
const perMessage = 256;
const streamName = "s";

function batchOf(count, bytes) {
  const header = { flag: 1, attributes: new Map(), key: "" };
  const records = Array.from({ length: count }, () => ({ header, payload: Buffer.alloc(bytes, 120) }));
  const payload = Buffer.from(BatchHStreamRecords.encode({ records }).finish());
  return { compressionType: 0, batchSize: count, payload };
}

/** A server with a stream of one shard, and one that only answers, with what appends of `count` records are answered with. */
async function servers(count) {
  const server = await serve(join(root, "packages/cli/bin/hstream.mjs"));
  const address = `127.0.0.1:${server.port}`;
  const api = new HStreamApiClient(address, credentials.createInsecure());
  const call = (method, request) =>
    new Promise((resolve, reject) =>
      api[method](request, (error, answer) => (error ? reject(error) : resolve(answer))),
    );
  await call("createStream", { streamName, replicationFactor: 1, backlogDuration: 0, shardCount: 1 });
  const { shardId } = (await call("listShards", { streamName })).shards[0];
  api.close();
  const batchId = 10n ** 15n;
  const recordIds = Array.from({ length: count }, (_, batchIndex) => ({ shardId, batchId, batchIndex }));
  const answer = Buffer.from(AppendResponse.encode({ streamName, shardId, recordIds }).finish());
  const script = fileURLToPath(new URL("plain-stream.mjs", import.meta.url));
  const plain = spawn(process.execPath, [script, "serve", answer.toString("base64")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = await once(createInterface(plain.stdout), "line");
  const client = new Client(address, credentials.createInsecure());
  const plainClient = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return {
    client,
    plainClient,
    shardId,
    stop: async () => {
      client.close();
      plainClient.close();
      plain.kill();
      await server.stop();
    },
  };
}

/** Calls a second, so many at once, for some time; the messages are not decoded on this side. */
async function unaryFor(client, path, request, ms) {
  const until = performance.now() + ms;
  const started = performance.now();
  let done = 0;
  const one = () =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest(path, same, same, request, (error) => (error ? reject(error) : resolve())),
    );
  const worker = async () => {
    for (; performance.now() < until; done++) await one();
  };
  await Promise.all(Array.from({ length: unaryInFlight }, worker));
  return (done / (performance.now() - started)) * 1_000;
}

/**
 * Appends a second over one AppendStream, so many unanswered at a time. As @hstream/client does it, what is to be
 * sent at the same time goes in one message; each record is an append of its own.
 */
async function streamFor(client, shardId, records, ms) {
  const { path } = HStreamExtService.appendStream;
  const encode = (request) => Buffer.from(AppendStreamRequest.encode(request).finish());
  const stream = client.makeBidiStreamRequest(path, encode, (bytes) => AppendStreamResponse.decode(bytes));
  const started = performance.now();
  const until = started + ms;
  let sent = 0;
  let answered = 0;
  const requestOf = () => {
    const name = sent === 0 ? streamName : "";
    const requestId = BigInt(++sent);
    return { requestId, streamName: name, shardId, records, producerId: "", sequence: 0n, more: [] };
  };
  const send = (count) => {
    for (let left = count; left > 0; left -= perMessage) {
      const [first, ...more] = Array.from({ length: Math.min(left, perMessage) }, requestOf);
      stream.write({ ...first, more });
    }
  };
  await new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("data", (message) => {
      const answers = [message, ...message.more];
      if (answers.some(({ result }) => result?.$case !== "appended")) {
        return reject(new Error("an append was refused"));
      }
      answered += answers.length;
      if (performance.now() < until) send(answers.length);
      else if (answered === sent) resolve();
    });
    send(streamInFlight);
  });
  const perSecond = (answered / (performance.now() - started)) * 1_000;
  stream.end();
  return perSecond;
}

const appendPath = HStreamApiService.append.path;
const appendRequest = (shardId, records) =>
  Buffer.from(AppendRequest.encode({ streamName, shardId, records }).finish());

export function unaryAgainstEcho(turnMs) {
  let both;
  let request;
  return {
    case: "unary appends of 100 x 1 KB through gRPC, against answers to the same messages",
    unit: "calls/s",
    before: async () => {
      both = await servers(100);
      request = appendRequest(both.shardId, batchOf(100, 1_024));
    },
    measure: () => unaryFor(both.client, appendPath, request, turnMs),
    floor: () => unaryFor(both.plainClient, answerMethod.path, request, turnMs),
    after: () => both.stop(),
    target: "ratio ≥ 0.9",
    turns: 8,
  };
}

export function streamAgainstUnary(turnMs) {
  let both;
  const records = batchOf(1, 1_024);
  return {
    case: "AppendStream, unbatched 1 KB records, against unary",
    unit: "records/s",
    before: async () => {
      both = await servers(1);
    },
    measure: () => streamFor(both.client, both.shardId, records, turnMs),
    floor: () => unaryFor(both.client, appendPath, appendRequest(both.shardId, records), turnMs),
    after: () => both.stop(),
    target: "ratio ≥ 10",
    turns: 8,
  };
}
