/**
 * Varints: seven bits a byte, the lowest first, the top bit set on all bytes but the last. At most ten
 * bytes; a negative number is its two's complement in 64 bits and so has all ten.
 */

/** Bytes of `value` as a varint. An integer from 0 to 2^53. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

/** Writes an integer from 0 to 2^53 at `offset` and returns the offset behind it. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  // Bit operations see only 32 bits.
  while (rest > 0x7fff_ffff) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** Bytes of a signed or unsigned 64-bit integer as a varint. */
export function bigVarintLength(value: bigint): number {
  let length = 1;
  for (let rest = BigInt.asUintN(64, value); rest > 0x7fn; rest >>= 7n) length += 1;
  return length;
}

/** Writes the lower 64 bits of `value` at `offset` and returns the offset behind it. */
export function writeBigVarint(target: Uint8Array, offset: number, value: bigint): number {
  let at = offset;
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    target[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  target[at++] = Number(rest);
  return at;
}
