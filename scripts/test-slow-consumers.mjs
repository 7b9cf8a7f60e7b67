/**
 * Consumers that do not read, on a real server with a real disk:
 *
 * - one that never reads while 1 GB is due costs the server less than 64 MB of memory, by either policy;
 * - 1,000 control calls at once beside it are all answered, in less than 10 s;
 * - another consumer of the same stream gets its records meanwhile.
 *
 *   --gigabytes N   that are due (1 unless said otherwise)
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials, Metadata } from "@grpc/grpc-js";
import { ready, root } from "./ready.mjs";
import { serve } from "./serve.mjs";
import { printClosingLine } from "./tee.mjs";

ready();
const { BatchHStreamRecords, HStreamApiClient, HStreamApiService, StreamingFetchRequest } = await import(
  "../packages/proto/dist/index.js"
);
const at = process.argv.indexOf("--gigabytes");
const gigabytes = at < 0 ? 1 : Number(process.argv[at + 1]);
const batchBytes = 1_000_000;
const batches = Math.round((gigabytes * 1e9) / batchBytes);
const rssBytesMax = 64 * 2 ** 20;
let passed = 0;
let failed = 0;

const server = await serve(join(root, "packages/cli/bin/hstream.mjs"));
try {
  await fill();
  for (const dispatch of ["key-ordered", "round-robin"]) {
    // Begins with empty caches, so that what grows is the consumer's.
    await server.restart();
    await neverReads(dispatch);
  }
} finally {
  await server.stop();
}
printClosingLine({ passed, failed });
process.exit(failed === 0 ? 0 : 1);

function client() {
  const api = new HStreamApiClient(`127.0.0.1:${server.port}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const call = (method, request, headers = {}) =>
    new Promise((resolve, reject) => {
      const metadata = new Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
      api[method](request, metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  return { api, call, close: () => api.close() };
}

async function fill() {
  const { call, close } = client();
  await call("createStream", { streamName: "s", replicationFactor: 1, backlogDuration: 0, shardCount: 1 });
  const [{ shardId }] = (await call("listShards", { streamName: "s" })).shards;
  const header = { flag: 1, attributes: new Map(), key: "" };
  const payload = Buffer.from(
    BatchHStreamRecords.encode({ records: [{ header, payload: Buffer.alloc(batchBytes, 120) }] }).finish(),
  );
  const records = { compressionType: 0, batchSize: 1, payload };
  for (let i = 0; i < batches; i += 20) {
    await Promise.all(
      Array.from({ length: Math.min(20, batches - i) }, () =>
        call("append", { streamName: "s", shardId, records }),
      ),
    );
  }
  close();
}

async function neverReads(dispatch) {
  const { api, call, close } = client();
  for (const subscriptionId of ["deaf", "quick"]) {
    await call("createSubscription", subscription(`${subscriptionId}-${dispatch}`), {
      "hstream-dispatch": dispatch,
    });
  }
  await control(call);
  await sleep(500);
  const before = rssBytes();
  const deaf = consumeWithoutReading(`deaf-${dispatch}`);
  await deaf.begun;
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, rssBytes());
  }, 20);
  const started = Date.now();
  await control(call);
  const controlMs = Date.now() - started;
  await sleep(1_500);
  clearInterval(watch);
  const grownBytes = Math.max(most, rssBytes()) - before;
  expect(
    grownBytes < rssBytesMax,
    `${dispatch}: ${(grownBytes / 2 ** 20).toFixed(0)} MiB for a consumer that never reads (< 64)`,
  );
  expect(controlMs < 10_000, `${dispatch}: 1,000 control calls beside it in ${controlMs} ms (< 10,000)`);
  const { length } = (await call("listConsumers", { subscriptionId: `deaf-${dispatch}` })).consumers;
  expect(length === 1, `${dispatch}: it is a consumer all the time`);
  const quick = await consume(api, `quick-${dispatch}`, 50);
  expect(quick === 50, `${dispatch}: another consumer gets its records`);
  deaf.close();
  close();
}

/** 1,000 calls of ten kinds at once. */
async function control(call) {
  const kinds = [
    () => call("echo", { msg: "x" }),
    () => call("describeCluster", {}),
    () => call("listStreams", {}),
    () => call("getStream", { name: "s" }),
    () => call("listShards", { streamName: "s" }),
    () => call("listSubscriptions", {}),
    () => call("lookupSubscription", { subscriptionId: "deaf" }),
    () => call("checkSubscriptionExist", { subscriptionId: "deaf" }),
    () => call("listShardReaders", {}),
    () => call("listConsumers", { subscriptionId: "deaf-key-ordered" }),
  ];
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => kinds[i % kinds.length]()));
}

/** A StreamingFetch whose flow-control window is 0: nothing of it can be sent. */
function consumeWithoutReading(subscriptionId) {
  const session = connect(`http://127.0.0.1:${server.port}`, { settings: { initialWindowSize: 0 } });
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": HStreamApiService.streamingFetch.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const request = StreamingFetchRequest.encode({ subscriptionId, consumerName: "deaf", ackIds: [] }).finish();
  const framed = Buffer.alloc(5 + request.length);
  framed.writeUInt32BE(request.length, 1);
  framed.set(request, 5);
  stream.write(framed);
  return { begun: once(stream, "response"), close: () => session.destroy() };
}

/** Resolves with how many deliveries came, once so many did. */
async function consume(api, subscriptionId, count) {
  const stream = api.streamingFetch(new Metadata());
  stream.on("error", () => {});
  stream.write({ subscriptionId, consumerName: "quick", ackIds: [] });
  let received = 0;
  for await (const { receivedRecords } of stream) {
    received += 1;
    stream.write({ subscriptionId, consumerName: "quick", ackIds: receivedRecords.recordIds });
    if (received === count) break;
  }
  stream.cancel();
  return received;
}

function subscription(subscriptionId) {
  const many = 1_000_000_000;
  return { subscriptionId, streamName: "s", ackTimeoutSeconds: 600, maxUnackedRecords: many, offset: 0 };
}

function rssBytes() {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"));
  return Number(kilobytes) * 1_024;
}

function expect(ok, what) {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? "ok    " : "FAILED"} ${what}`);
}
