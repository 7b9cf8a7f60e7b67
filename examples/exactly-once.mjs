/**
 * Copies a stream into another with types, in two runs: the second begins behind the last record of the
 * first. The append stream stores each batch once, whatever happens to the server meanwhile.
 */
import { HStreamClient, jsonRecord } from "@hstream/client";

const client = await HStreamClient.connect(`hstream://127.0.0.1:${process.env.HSTREAM_PORT ?? 6570}`);
const readings = jsonRecord({ key: (reading) => reading.sensor });
await client.streams.create("readings", { shardCount: 3 });
await client.streams.create("fahrenheit", { shardCount: 2 });

const producer = await client.bufferedProducer("readings", { type: readings, idempotent: true });
for (let n = 0; n < 200; n++) await producer.write({ sensor: `s${n % 7}`, celsius: n });
await producer.close();

/** Copies up to so many records from behind a position, and answers with the new one. */
async function copy(after, count) {
  const reader = client.read("readings", { type: readings, after, until: "latest" });
  const appends = await client.appendStream("fahrenheit", { type: readings });
  let copied = 0;
  for await (const { value } of reader) {
    appends.append([{ sensor: value.sensor, fahrenheit: value.celsius * 1.8 + 32 }]).catch(() => {});
    if (++copied === count) break;
  }
  // Fails if anything was not stored.
  await appends.close();
  return { position: reader.position, copied };
}

// A program that is started again would keep the position in a file, and copy again what it did not get to note.
const first = await copy([], 100);
const second = await copy(first.position, Infinity);
console.log(`copied ${first.copied}, then ${second.copied}`);
const [{ n, sensors }] = await client
  .query("SELECT COUNT(*) AS n, COUNT(DISTINCT fahrenheit) AS sensors FROM fahrenheit;")
  .all();
console.log(`${n} readings, ${n === sensors ? "each once" : "some more than once"}`);

await client.streams.delete("readings");
await client.streams.delete("fahrenheit");
await client.close();
