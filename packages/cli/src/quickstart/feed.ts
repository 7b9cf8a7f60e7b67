import type { HStreamClient } from "@hstream/client";
import type { DataSource } from "./data-source.js";

/** Streams a source in; the number of records, once all are stored. `taken` hears of each batch. */
export async function feed(
  client: HStreamClient,
  source: DataSource,
  signal: AbortSignal,
  taken: (records: number) => void = () => {},
): Promise<number> {
  const producer = await client.bufferedProducer(source.stream);
  let count = 0;
  for await (const records of source.records(signal)) {
    for (const record of records) await producer.write(record);
    count += records.length;
    taken(records.length);
  }
  await producer.close();
  return count;
}
