import type { RecordId } from "@hstream/proto";
import { HStreamClientError } from "../errors.js";

/** `shardId-batchId-batchIndex`, in decimal: the form in which ids are shown and stored. */
export function formatRecordId(id: RecordId): string {
  return `${id.shardId}-${id.batchId}-${id.batchIndex}`;
}

const uint64Max = 2n ** 64n - 1n;
const uint32Max = 2 ** 32 - 1;

/** Reads what `formatRecordId` writes. Throws HStreamClientError (reason "usage") for anything else. */
export function parseRecordId(text: string): RecordId {
  const parts = /^(\d{1,20})-(\d{1,20})-(\d{1,10})$/.exec(text);
  const [shardId, batchId] = [BigInt(parts?.[1] ?? 0), BigInt(parts?.[2] ?? 0)];
  const batchIndex = Number(parts?.[3] ?? 0);
  if (parts === null || shardId > uint64Max || batchId > uint64Max || batchIndex > uint32Max) {
    const message = `${JSON.stringify(text)} is not a record id.`;
    throw new HStreamClientError({ reason: "usage", message, hint: "Write shardId-batchId-batchIndex" });
  }
  return { shardId, batchId, batchIndex };
}
