/**
 * Shared subscriptions: what consumers get in a second, against a plain gRPC stream of the same bytes, and
 * how long a record takes from its append to its delivery, against an echo and a sync of the disk.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  BatchHStreamRecords,
  HStreamApiClient,
  HStreamApiService,
  StreamingFetchRequest,
} from "../packages/proto/dist/index.js";
import { root } from "../scripts/ready.mjs";
import { serve } from "../scripts/serve.mjs";
import { bench } from "./harness.mjs";
import { plainMethod } from "./plain-stream.mjs";

const batches = 4_000;
const recordsPerBatch = 100;
const recordBytes = 100;
const latencySamples = 300;

const server = await serve(join(root, "packages/cli/bin/hstream.mjs"));
const address = `127.0.0.1:${server.port}`;
const plain = spawn(
  process.execPath,
  [fileURLToPath(new URL("plain-stream.mjs", import.meta.url)), "serve"],
  {
    stdio: ["ignore", "pipe", "inherit"],
  },
);
const [plainPort] = await once(createInterface(plain.stdout), "line");
const api = new HStreamApiClient(address, credentials.createInsecure());
const plainClient = new Client(`127.0.0.1:${plainPort}`, credentials.createInsecure());

const call = (method, request) =>
  new Promise((resolve, reject) =>
    api[method](request, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

async function createStream(streamName) {
  await call("createStream", { streamName, replicationFactor: 1, backlogDuration: 0, shardCount: 1 });
  return (await call("listShards", { streamName })).shards[0].shardId;
}

function batchOf(count, bytes) {
  const header = { flag: 1, attributes: new Map(), key: "" };
  const records = Array.from({ length: count }, () => ({ header, payload: Buffer.alloc(bytes, 120) }));
  return {
    compressionType: 0,
    batchSize: count,
    payload: Buffer.from(BatchHStreamRecords.encode({ records }).finish()),
  };
}

/**
 * How long acks are gathered before they are sent (the official clients wait for 100 ms), and how many bytes
 * of them at most.
 */
const ackDelayMs = 5;
const acksBytesMax = 32_768;

/**
 * StreamingFetch without decoding: the ids of deliveries are sent back as acks, as they came. They are copied
 * from the deliveries, which could not be collected before their acks are sent otherwise.
 */
const fetchMethod = HStreamApiService.streamingFetch;
function fetch(client, subscriptionId, consumerName, dispatch, onDelivery) {
  const metadata = new Metadata();
  metadata.set("hstream-dispatch", dispatch);
  const same = (message) => message;
  const stream = client.makeBidiStreamRequest(fetchMethod.path, same, same, metadata);
  stream.on("error", () => {});
  stream.write(
    Buffer.from(StreamingFetchRequest.encode({ subscriptionId, consumerName, ackIds: [] }).finish()),
  );
  let acks = Buffer.allocUnsafe(acksBytesMax);
  let filled = 0;
  const flush = () => {
    if (filled === 0) return;
    stream.write(acks.subarray(0, filled));
    acks = Buffer.allocUnsafe(acksBytesMax);
    filled = 0;
  };
  stream.on("data", (message) => {
    const { start, end, count } = idsToAcks(message);
    if (filled + end - start > acksBytesMax) flush();
    if (filled === 0) setTimeout(flush, ackDelayMs);
    filled += message.copy(acks, filled, start, end);
    onDelivery(count);
  });
  return stream;
}

/** The record ids, tag 0a, stand at the beginning of field 1; as acks they have the tag 1a. */
function idsToAcks(message) {
  let at = 1;
  while (message[at++] >= 0x80);
  const start = at;
  let count = 0;
  while (message[at] === 0x0a) {
    message[at] = 0x1a;
    at += 2 + message[at + 1];
    count += 1;
  }
  return { start, end: at, count };
}

let names = 0;
const total = batches * recordsPerBatch;

/** Records a second that so many consumers of one new subscription get. */
async function consume(consumers, dispatch) {
  const subscriptionId = `s${names++}`;
  await call("createSubscription", {
    subscriptionId,
    streamName: "full",
    ackTimeoutSeconds: 600,
    maxUnackedRecords: 10_000_000,
    offset: 0,
  });
  const shares = Array.from({ length: consumers }, () => 0);
  const started = performance.now();
  let received = 0;
  let streams = [];
  await new Promise((resolve) => {
    streams = shares.map((_, i) =>
      fetch(api, subscriptionId, `c${i}`, dispatch, (count) => {
        shares[i] += count;
        received += count;
        if (received === total) resolve();
      }),
    );
  });
  const seconds = (performance.now() - started) / 1_000;
  for (const stream of streams) {
    stream.removeAllListeners("data");
    stream.cancel();
  }
  await call("deleteSubscription", { subscriptionId, force: true });
  return total / seconds;
}

/** The same bytes, in as many messages, from a server that does nothing else. */
async function stream() {
  const request = Buffer.alloc(8);
  request.writeUInt32LE(batches, 0);
  request.writeUInt32LE(messageBytes, 4);
  const same = (message) => message;
  const started = performance.now();
  const answers = plainClient.makeServerStreamRequest(plainMethod.path, same, same, request);
  let received = 0;
  answers.on("data", () => {
    received += 1;
  });
  await once(answers, "end");
  if (received !== batches) throw new Error(`the plain stream gave ${received} messages`);
  return total / ((performance.now() - started) / 1_000);
}

/** CPU time for each record, µs: of this process and of one other, the kernel's included. */
async function cpuOf(pid, work) {
  // In ticks of 10 ms.
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = ticks();
  const own = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(own);
  return (user + system + (ticks() - before) * 10_000) / total;
}

async function fill() {
  const shardId = await createStream("full");
  const records = batchOf(recordsPerBatch, recordBytes);
  for (let i = 0; i < batches; i += 200) {
    await Promise.all(
      Array.from({ length: 200 }, () => call("append", { streamName: "full", shardId, records })),
    );
  }
  // A delivery: the ids, 24 bytes each with their tags, and the payload.
  return records.payload.length + 24 * recordsPerBatch + 16;
}

/** Milliseconds of each of so many repetitions of several things, in turns, sorted. */
async function times(works) {
  const found = Object.fromEntries(Object.keys(works).map((name) => [name, []]));
  for (let i = 0; i < latencySamples; i++) {
    for (const [name, work] of Object.entries(works)) {
      const started = performance.now();
      await work(i);
      found[name].push(performance.now() - started);
    }
  }
  for (const list of Object.values(found)) list.sort((a, b) => a - b);
  return found;
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

async function latency() {
  const shardId = await createStream("idle");
  await call("createSubscription", {
    subscriptionId: "idle",
    streamName: "idle",
    ackTimeoutSeconds: 600,
    maxUnackedRecords: 1_000_000,
    offset: 0,
  });
  let arrived = () => {};
  const consumer = fetch(api, "idle", "c", "round-robin", () => arrived());
  const records = batchOf(1, recordBytes);
  const deliver = () =>
    new Promise((resolve, reject) => {
      arrived = resolve;
      call("append", { streamName: "idle", shardId, records }).catch(reject);
    });
  const text = "x".repeat(recordBytes);
  const file = openSync(join(server.directory, "sync"), "w");
  const bytes = Buffer.alloc(4_096);
  const works = {
    delivery: deliver,
    echo: () => call("echo", { msg: text }),
    sync: async () => {
      writeSync(file, bytes);
      fdatasyncSync(file);
    },
  };
  await times(works);
  const result = await times(works);
  closeSync(file);
  consumer.cancel();
  return result;
}

const messageBytes = await fill();
try {
  const cases = ["key-ordered", "round-robin"].flatMap((dispatch) =>
    [1, 10].map((consumers) => ({
      case: `${consumers} ${consumers === 1 ? "consumer" : "consumers"}, ${dispatch}`,
      unit: "records/s",
      turns: 9,
      measure: () => consume(consumers, dispatch),
      floor: stream,
      target: "ratio ≥ 0.6",
    })),
  );
  const cpu = [1, 10].map((consumers) => ({
    case: `CPU of server and ${consumers === 1 ? "consumer" : "ten consumers"} for a record`,
    unit: "µs",
    turns: 9,
    measure: () => cpuOf(server.pid, () => consume(consumers, "round-robin")),
    floor: () => cpuOf(plain.pid, stream),
  }));
  const { delivery, echo, sync } = await latency();
  const once50 = (sorted) => async () => quantile(sorted, 0.5);
  const p50Bound = quantile(echo, 0.5) + 3 * quantile(sync, 0.5);
  const p99Bound = 1.5 * (quantile(echo, 0.99) + quantile(sync, 0.99));
  await bench([
    ...cases,
    ...(existsSync("/proc/self/stat") ? cpu : []),
    {
      case: "append to delivery, idle, p50, against echo p50 + 3 × fdatasync p50",
      unit: "ms",
      turns: 1,
      measure: once50(delivery),
      floor: async () => p50Bound,
      target: "ratio ≤ 1",
    },
    {
      case: "append to delivery, idle, p99, against 1.5 × (echo p99 + fdatasync p99)",
      unit: "ms",
      turns: 1,
      measure: async () => quantile(delivery, 0.99),
      floor: async () => p99Bound,
      target: "ratio ≤ 1",
    },
  ]);
} finally {
  api.close();
  plainClient.close();
  plain.kill();
  await server.stop();
}
