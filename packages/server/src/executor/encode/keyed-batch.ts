/**
 * Records for a stream on their way out of a worker: a payload as the log stores it (BatchHStreamRecords,
 * not compressed), with the partition key that all of its records have. The payloads of several may be put
 * one behind the other. Little-endian:
 *
 *   ┌────────────────┬───────────────┬───────────┬─────────────┐
 *   │ recordCount u32│ keyLength u32 │ key UTF-8 │ payload …   │
 *   └────────────────┴───────────────┴───────────┴─────────────┘
 */
export interface KeyedBatch {
  readonly recordCount: number;
  readonly key: string;
  readonly payload: Uint8Array;
}

const headBytes = 8;

export function encodeKeyedBatch({ recordCount, key, payload }: KeyedBatch): Uint8Array {
  const keyBytes = Buffer.from(key);
  const encoded = Buffer.allocUnsafeSlow(headBytes + keyBytes.length + payload.length);
  encoded.writeUInt32LE(recordCount, 0);
  encoded.writeUInt32LE(keyBytes.length, 4);
  encoded.set(keyBytes, headBytes);
  encoded.set(payload, headBytes + keyBytes.length);
  return encoded;
}

/** The payload is a view of `encoded`. Of bytes that `encodeKeyedBatch` made. */
export function decodeKeyedBatch(encoded: Uint8Array): KeyedBatch {
  const buffer = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const end = headBytes + buffer.readUInt32LE(4);
  return {
    recordCount: buffer.readUInt32LE(0),
    key: buffer.toString("utf8", headBytes, end),
    payload: encoded.subarray(end),
  };
}
