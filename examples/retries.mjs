/**
 * Works off records that fail at first: they are asked for again, a little later each time. What has
 * failed three times goes to another stream, for people to look at.
 */
import { HStreamClient, textRecord } from "@hstream/client";

const client = await HStreamClient.connect(`hstream://127.0.0.1:${process.env.HSTREAM_PORT ?? 6570}`);
const type = textRecord();
await client.streams.create("jobs");
await client.streams.create("failed_jobs");
await client.subscriptions.create("job_workers", {
  stream: "jobs",
  offset: "earliest",
  maxDeliveries: 3,
  deadLetterStream: "failed_jobs",
});
for (const job of ["a", "b", "c", "d"]) await client.append("jobs", [job], { type });

const tries = new Map();
function work(job) {
  tries.set(job, (tries.get(job) ?? 0) + 1);
  if (job === "c" || (job === "b" && tries.get(job) === 1)) throw new Error(`${job} failed`);
}

const done = [];
for await (const record of client.consume("job_workers", { type })) {
  try {
    work(record.value);
    record.ack();
    done.push(record.value);
  } catch {
    record.nack({ delayMs: 20 * tries.get(record.value) });
  }
  if (done.length === 3 && tries.get("c") === 3) break;
}
console.log(`done: ${done.sort().join(" ")}`);

for await (const { value } of client.read("failed_jobs", { type })) {
  console.log(`given up: ${value}`);
  break;
}

await client.subscriptions.delete("job_workers", { force: true });
await client.streams.delete("jobs");
await client.streams.delete("failed_jobs");
await client.close();
