import {
  decodeHRecord,
  type HValue,
  type Inflate,
  isMalformed,
  isUnreadable,
  RecordBatchReader,
} from "@hstream/proto";
import type { StoredBatch } from "../../log/log-store.js";

/** Flag of a record whose payload is any bytes. */
const rawFlag = 1;

/**
 * The records of a stored batch, each as the text of a JSON object: id, time, key, attributes, and
 * `value` for a record that is JSON, else `payload` in base64. Of a batch that cannot be read, nothing.
 */
export function* recordTexts(batch: StoredBatch, inflate: Inflate): Generator<string> {
  const payload = inflate(batch.payload, batch.compression);
  if (isUnreadable(payload)) return;
  const reader = new RecordBatchReader(payload);
  const time = new Date(batch.timeMs).toISOString();
  for (let index = 0; reader.next(); index++) {
    const { flag, key, attributes, payload } = reader.record();
    const parts = [`"id":"${batch.shardId}-${batch.batchId}-${index}"`, `"time":"${time}"`];
    if (key !== "") parts.push(`"key":${JSON.stringify(key)}`);
    if (attributes !== undefined && attributes.size > 0) {
      parts.push(`"attributes":${JSON.stringify(Object.fromEntries(attributes))}`);
    }
    const value = flag === rawFlag ? undefined : decodeHRecord(payload);
    if (value === undefined || isMalformed(value)) {
      parts.push(`"payload":"${Buffer.from(payload).toString("base64")}"`);
    } else parts.push(`"value":${jsonText(value)}`);
    yield `{${parts.join(",")}}`;
  }
}

/** Numbers that JSON lacks are null. */
export function jsonText(value: HValue): string {
  if (value instanceof Map) {
    const fields = [...value].map(([name, field]) => `${JSON.stringify(name)}:${jsonText(field)}`);
    return `{${fields.join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map((item) => jsonText(item as HValue)).join(",")}]`;
  return JSON.stringify(value);
}
