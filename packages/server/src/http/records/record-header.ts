import { encodeRecordBatch } from "@hstream/proto";

/**
 * The header of JSON records, encoded with its tag and length (0a length header), as it stands in a
 * record. Cut out of a record that has nothing else.
 */
export function headerOf(key: string, attributes: ReadonlyMap<string, string>): Uint8Array {
  const record = encodeRecordBatch([{ flag: 0, key, attributes, payload: new Uint8Array(0) }]);
  let at = 1;
  while ((record[at] as number) >= 0x80) at += 1;
  return record.subarray(at + 1);
}
