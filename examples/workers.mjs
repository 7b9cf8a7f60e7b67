/**
 * Two workers share a stream through one subscription: each record goes to one of them, and comes again
 * if it is not acknowledged. A shard belongs to one worker at a time, so the records of one key are
 * worked off in order.
 */
import { HStreamClient } from "@hstream/client";

const client = await HStreamClient.connect(`hstream://127.0.0.1:${process.env.HSTREAM_PORT ?? 6570}`);
await client.streams.create("tasks", { shardCount: 4 });
await client.subscriptions.create("working", {
  stream: "tasks",
  offset: "earliest",
  ackTimeoutSeconds: 10,
  dispatch: "key-ordered",
});

const taskCount = 40;
const done = { first: 0, second: 0 };
const finished = new AbortController();

async function work(name) {
  for await (const record of client.consume("working", { consumerName: name, signal: finished.signal })) {
    done[name]++;
    record.ack();
    if (done.first + done.second === taskCount) finished.abort();
  }
}

const workers = [work("first"), work("second")];
for (let n = 0; n < taskCount; n++) await client.append("tasks", [{ n }], { key: `customer-${n}` });
await Promise.all(workers);
console.log(`${done.first + done.second} tasks done by two workers`);

await client.subscriptions.delete("working", { force: true });
await client.streams.delete("tasks");
await client.close();
