/**
 * The framing of a payload, BatchHStreamRecords on the wire:
 *
 *   ┌──────┬───────────────┬──────────────┐
 *   │ 0x0a │ length varint │ HStreamRecord│  repeated
 *   └──────┴───────────────┴──────────────┘
 */
const recordTag = 0x0a;
/** A length below 2^31 takes at most this many bytes. */
const lengthBytesMax = 5;

/** Calls `visit` with the range of every frame, tag and length included. False if it is not framed so. */
export function walkFrames(payload: Uint8Array, visit: (start: number, end: number) => void): boolean {
  let at = 0;
  while (at < payload.length) {
    const start = at;
    if (payload[at] !== recordTag) return false;
    at += 1;
    let length = 0;
    for (let i = 0; ; i++) {
      const byte = payload[at];
      if (byte === undefined || i === lengthBytesMax) return false;
      at += 1;
      length += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) break;
    }
    at += length;
    if (at > payload.length) return false;
    visit(start, at);
  }
  return true;
}

/** How many records an uncompressed payload has; undefined if it is not framed as records are. */
export function countFrames(payload: Uint8Array): number | undefined {
  let count = 0;
  const framed = walkFrames(payload, () => {
    count += 1;
  });
  return framed ? count : undefined;
}
