import assert from "node:assert/strict";
import type { BatchedRecord } from "@hstream/proto";
import { HStreamClientError } from "../errors.js";
import { BatchDecoder, ReceivedRecord } from "./received-record.js";
import { anyRecord } from "./record-type.js";

/** The records of a batch; throws what makes it unreadable. */
export async function decodeBatch(batch: BatchedRecord): Promise<readonly ReceivedRecord[]> {
  const decoder = await BatchDecoder.load();
  const contents = decoder.contents(batch);
  if (contents instanceof HStreamClientError) throw contents;
  assert.equal(contents.length, batch.batchSize);
  const ids = contents.map((_, batchIndex) => ({ shardId: 1n, batchId: 1n, batchIndex }));
  return decoder.decode(batch, ids, (id, at, content) => new ReceivedRecord(id, at, anyRecord, content));
}
