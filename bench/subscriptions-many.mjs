/**
 * Ten thousand subscriptions on one server, with a consumer each: what they cost in memory, how long a
 * record takes to reach all consumers of its stream, and that none of them is stuck.
 *
 *   --subscriptions N   10,000 unless said otherwise
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { credentials, Metadata } from "@grpc/grpc-js";
import {
  BatchHStreamRecords,
  HStreamApiClient,
  HStreamApiService,
  StreamingFetchRequest,
} from "../packages/proto/dist/index.js";
import { root } from "../scripts/ready.mjs";
import { serve } from "../scripts/serve.mjs";
import { bench } from "./harness.mjs";

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const subscriptionCount = option("subscriptions", 10_000);
const streamCount = Math.ceil(subscriptionCount / 10);
const connections = 20;
const appends = 2_000;
const appendsAtATime = 4;

const server = await serve(join(root, "packages/cli/bin/hstream.mjs"));
const clients = Array.from(
  { length: connections },
  () =>
    new HStreamApiClient(`127.0.0.1:${server.port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    }),
);
const [api] = clients;
const call = (method, request) =>
  new Promise((resolve, reject) =>
    api[method](request, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

/** Runs `work` for 0 … count − 1, so many at a time. */
async function each(count, atATime, work) {
  let next = 0;
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

const shards = [];
await each(streamCount, 50, async (i) => {
  const streamName = `s${i}`;
  await call("createStream", { streamName, replicationFactor: 1, backlogDuration: 0, shardCount: 1 });
  shards[i] = (await call("listShards", { streamName })).shards[0].shardId;
});
await each(subscriptionCount, 50, (i) =>
  call("createSubscription", {
    subscriptionId: `sub${i}`,
    streamName: `s${i % streamCount}`,
    ackTimeoutSeconds: 600,
    maxUnackedRecords: 1_000,
    offset: 0,
  }),
);
const idle = rssMebibytes();

/** What each consumer has received, and who waits for the deliveries of an append, by stream. */
const received = new Uint32Array(subscriptionCount);
const waiting = Array.from({ length: streamCount }, () => []);
const { path } = HStreamApiService.streamingFetch;
const same = (message) => message;
await each(subscriptionCount, 200, async (i) => {
  const stream = clients[i % connections].makeBidiStreamRequest(path, same, same, new Metadata());
  stream.on("error", () => {});
  const subscriptionId = `sub${i}`;
  stream.write(
    Buffer.from(StreamingFetchRequest.encode({ subscriptionId, consumerName: "c", ackIds: [] }).finish()),
  );
  stream.on("data", (message) => {
    received[i] += 1;
    stream.write(acksOf(message));
    const [first] = waiting[i % streamCount];
    if (first !== undefined && --first.missing === 0) {
      waiting[i % streamCount].shift();
      first.resolve();
    }
  });
  // One at a time is begun when the one before it was answered.
  await call("listConsumers", { subscriptionId });
});
while (
  (await call("listConsumers", { subscriptionId: `sub${subscriptionCount - 1}` })).consumers.length === 0
);
const connected = rssMebibytes();

const header = { flag: 1, attributes: new Map(), key: "" };
const records = {
  compressionType: 0,
  batchSize: 1,
  payload: Buffer.from(
    BatchHStreamRecords.encode({ records: [{ header, payload: Buffer.alloc(100, 120) }] }).finish(),
  ),
};
const consumersOf = (s) => Math.floor((subscriptionCount - 1 - s) / streamCount) + 1;
const times = [];
await each(appends, appendsAtATime, async (i) => {
  const s = i % streamCount;
  const started = performance.now();
  const delivered = new Promise((resolve) => waiting[s].push({ missing: consumersOf(s), resolve }));
  await call("append", { streamName: `s${s}`, shardId: shards[s], records });
  await delivered;
  times.push(performance.now() - started);
});
times.sort((a, b) => a - b);
const busy = rssMebibytes();
const stuck = received.reduce((count, number) => count + (number === 0 ? 1 : 0), 0);
for (const client of clients) client.close();
await server.stop();

const once = (value) => ({ turns: 1, measure: () => Promise.resolve(value) });
const quantile = (q) => times[Math.min(times.length - 1, Math.floor(times.length * q))];
await bench([
  { case: `RSS with ${subscriptionCount} subscriptions`, unit: "MiB", ...once(idle) },
  { case: "RSS with a consumer on each", unit: "MiB", ...once(connected) },
  { case: `RSS after ${received.reduce((a, b) => a + b, 0)} deliveries`, unit: "MiB", ...once(busy) },
  { case: `append to the last of its ${consumersOf(0)} deliveries, p50`, unit: "ms", ...once(quantile(0.5)) },
  {
    case: `append to the last of its ${consumersOf(0)} deliveries, p99`,
    unit: "ms",
    ...once(quantile(0.99)),
  },
  { case: "consumers that got nothing", unit: "consumers", target: "0", ...once(stuck) },
]);
process.exit(stuck === 0 ? 0 : 1);

/** The record ids, tag 0a, stand at the beginning of field 1; as acks they have the tag 1a. */
function acksOf(message) {
  let at = 1;
  while (message[at++] >= 0x80);
  const start = at;
  while (message[at] === 0x0a) at += 2 + message[at + 1];
  const acks = Buffer.from(message.subarray(start, at));
  for (let i = 0; i < acks.length; i += 2 + acks[i + 1]) acks[i] = 0x1a;
  return acks;
}

function rssMebibytes() {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"));
  return Number(kilobytes) / 1_024;
}
