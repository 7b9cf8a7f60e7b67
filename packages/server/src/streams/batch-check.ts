import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { Batch } from "../log/log-store.js";
import { countFrames } from "./record-frames.js";

const compressionMax = 2;

/**
 * Checks what is cheap to check before a batch is stored. Uncompressed records are counted by their
 * framing; compressed ones are counted by whoever reads them first.
 */
export function checkBatch(batch: Batch, recordBytesMax: number): void {
  if (batch.recordCount === 0 || batch.payload.length === 0) throw new HStreamError("EmptyBatch", {});
  if (batch.payload.length > recordBytesMax) {
    const bytes = batch.payload.length;
    throw new HStreamError("RecordTooLarge", { bytes, max: recordBytesMax }, bytes);
  }
  if (batch.recordCount > limits.batchRecordsMax) {
    refuse(`A batch of ${batch.recordCount} records is above batchRecordsMax, ${limits.batchRecordsMax}.`);
  }
  if (batch.compression > compressionMax || batch.compression < 0) {
    refuse(`Compression type ${batch.compression} is unknown: use None (0), Gzip (1) or Zstd (2).`);
  }
  if (batch.compression !== 0) return;
  const counted = countFrames(batch.payload);
  if (counted === undefined) refuse("The payload is not a BatchHStreamRecords message.");
  if (counted !== batch.recordCount) {
    refuse(`batchSize is ${batch.recordCount}, but the payload has ${counted} records.`);
  }
}

function refuse(reason: string): never {
  throw new HStreamError("InvalidBatch", { reason });
}
