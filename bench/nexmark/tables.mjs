/** The three streams as they are declared, and their records as the log stores them. */
import { encodeHRecord, encodeRecordBatch } from "@hstream/proto";

/** Column name → type of ours. Times are milliseconds here. */
export const tables = {
  person: {
    id: "INTEGER",
    name: "STRING",
    email_address: "STRING",
    credit_card: "STRING",
    city: "STRING",
    state: "STRING",
    date_time: "INTEGER",
    extra: "STRING",
  },
  auction: {
    id: "INTEGER",
    item_name: "STRING",
    description: "STRING",
    initial_bid: "INTEGER",
    reserve: "INTEGER",
    date_time: "INTEGER",
    expires: "INTEGER",
    seller: "INTEGER",
    category: "INTEGER",
    extra: "STRING",
  },
  bid: {
    auction: "INTEGER",
    bidder: "INTEGER",
    price: "INTEGER",
    channel: "STRING",
    url: "STRING",
    date_time: "INTEGER",
    extra: "STRING",
  },
};

/** Records in batches, as they lie in the log: parts of few large buffers. `records` may be any iterable. */
export function storedBatches(records, batchRecords = 500) {
  const payloads = [];
  let batch = [];
  let count = 0;
  const counts = [];
  const close = () => {
    if (batch.length === 0) return;
    payloads.push(encodeRecordBatch(batch));
    counts.push(batch.length);
    batch = [];
  };
  for (const record of records) {
    batch.push({ flag: 0, key: "", payload: encodeHRecord(record) });
    count += 1;
    if (batch.length === batchRecords) close();
  }
  close();
  const chunk = 64 * 1024 * 1024;
  const batches = [];
  for (let from = 0; from < payloads.length; ) {
    let to = from;
    let bytes = 0;
    while (to < payloads.length && bytes + payloads[to].length <= chunk) bytes += payloads[to++].length;
    to = Math.max(to, from + 1);
    const whole = new Uint8Array(Buffer.concat(payloads.slice(from, to)));
    for (let at = 0; from < to; from++) {
      const payload = whole.subarray(at, at + payloads[from].length);
      at += payload.length;
      batches.push({
        shardId: 1,
        batchId: from + 1,
        timeMs: 0,
        recordCount: counts[from],
        compression: 0,
        payload,
      });
    }
  }
  return { batches, count };
}
