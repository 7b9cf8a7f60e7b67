/**
 * UTF-8 for short strings. A lone surrogate is written, and an invalid sequence read, as U+FFFD.
 * For a few characters a loop beats the call into the runtime.
 */
const writeLoopCharactersMax = 32;
const readLoopBytesMax = 8;

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  if (text.length > writeLoopCharactersMax) return Buffer.byteLength(text);
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  return text.length;
}

/** Writes `text`, whose `utf8Length` is `length`, and returns the offset behind it. */
export function writeUtf8(target: Buffer, offset: number, text: string, length: number): number {
  if (length === text.length && length <= writeLoopCharactersMax) {
    for (let i = 0; i < length; i++) target[offset + i] = text.charCodeAt(i);
  } else target.write(text, offset, length, "utf8");
  return offset + length;
}

export function readUtf8(source: Buffer, start: number, end: number): string {
  if (end - start <= readLoopBytesMax) {
    let text = "";
    for (let at = start; at < end; at++) {
      const byte = source[at] as number;
      if (byte > 0x7f) return source.toString("utf8", start, end);
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return source.toString("utf8", start, end);
}
