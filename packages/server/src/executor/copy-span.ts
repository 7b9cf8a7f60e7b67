/** Copies from[start, end) to `to` at `at`, four bytes at a time: for texts that is twice as fast as a call. */
export function copySpan(from: DataView, start: number, end: number, to: DataView, at: number): number {
  let read = start | 0;
  let written = at | 0;
  for (const last = end - 7; read < last; read = (read + 8) | 0, written = (written + 8) | 0) {
    to.setInt32(written, from.getInt32(read, true), true);
    to.setInt32(written + 4, from.getInt32(read + 4, true), true);
  }
  for (; read < end; read = (read + 1) | 0, written = (written + 1) | 0)
    to.setUint8(written, from.getUint8(read));
  return written;
}

export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
