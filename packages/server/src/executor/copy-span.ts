/** Copies from[start, end) to `to` at `at`, four bytes at a time: for texts that is twice as fast as a call. */
export function copySpan(from: DataView, start: number, end: number, to: DataView, at: number): number {
  let read = start;
  let written = at;
  for (const last = end - 7; read < last; read += 8, written += 8) {
    to.setInt32(written, from.getInt32(read, true), true);
    to.setInt32(written + 4, from.getInt32(read + 4, true), true);
  }
  for (; read < end; read++, written++) to.setUint8(written, from.getUint8(read));
  return written;
}

export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
