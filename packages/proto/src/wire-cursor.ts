import { codecLimits } from "./limits.js";
import { type Malformed, malformed } from "./malformed.js";

/** How a field's value is laid out: the lower three bits of its tag. */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/**
 * Reads the fields of a protobuf message in place.
 *
 *   message := field*      field := tag value      tag := varint(field number << 3 | wire type)
 *   value   := varint | 8 bytes | varint(n) and n bytes | 4 bytes
 *
 * The first malformed byte sets `failure`. From then on `tag` returns 0, as at the end of a message, and
 * the other readers return 0, so that loops end by themselves and need no check of their own.
 */
export class WireCursor {
  bytes: Uint8Array;
  position: number;
  /** End of the message that is being read. */
  end: number;
  failure: Malformed | null = null;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Stops reading. The first reason stays. */
  fail(reason: string, offset = this.position): void {
    this.failure ??= malformed(offset, reason);
    this.position = this.end;
  }

  /** The tag of the next field; 0 at the end of the message. */
  tag(): number {
    if (this.position >= this.end || this.failure !== null) return 0;
    const start = this.position;
    const first = this.bytes[start] as number;
    let tag = first;
    if (first < 0x80) this.position += 1;
    else {
      tag = this.uint32();
      if (this.#isWide(start)) this.fail("a tag has more than 32 bits", start);
    }
    if (this.failure !== null) return 0;
    if (tag >>> 3 === 0) {
      this.fail("a field has the number 0", start);
      return 0;
    }
    return tag;
  }

  /** The lower 32 bits of a varint, unsigned. */
  uint32(): number {
    const bytes = this.bytes;
    let at = this.position;
    // Reads behind `end` are sorted out below; behind the bytes they give undefined, which counts as 0.
    const first = bytes[at++] as number;
    if (first < 0x80 && at <= this.end) {
      this.position = at;
      return first;
    }
    let value = first & 0x7f;
    let byte = first;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift === 70) return this.#failVarint("a varint has more than 10 bytes");
      byte = bytes[at++] as number;
      if (shift < 32) value |= (byte & 0x7f) << shift;
    }
    if (at > this.end) return this.#failVarint("a varint is cut off");
    this.position = at;
    return value >>> 0;
  }

  /** A varint of 64 bits, unsigned: a number up to 2^53, a bigint beyond. */
  uint64(): number | bigint {
    const start = this.position;
    const low = this.uint32();
    if (this.position - start < 5 || this.failure !== null) return low;
    // Bit operations see only 32 bits. Up to 53 bits doubles are exact, and far faster than bigints.
    const length = this.position - start;
    if (length < 8 || (length === 8 && ((this.bytes[start + 7] as number) & 0x7f) < 16)) {
      let exact = 0;
      for (let at = this.position - 1; at >= start; at--) {
        exact = exact * 128 + ((this.bytes[at] as number) & 0x7f);
      }
      return exact;
    }
    let value = 0n;
    for (let at = this.position - 1; at >= start; at--) {
      value = (value << 7n) | BigInt((this.bytes[at] as number) & 0x7f);
    }
    value = BigInt.asUintN(64, value);
    return value <= 0x20_0000_0000_0000n ? Number(value) : value;
  }

  /** A varint of 64 bits, signed: a number while its size is at most 2^53, a bigint beyond. */
  int64(): number | bigint {
    const value = this.uint64();
    if (typeof value === "number") return value;
    const signed = BigInt.asIntN(64, value);
    return signed < 0n && signed >= -0x20_0000_0000_0000n ? Number(signed) : signed;
  }

  /** The length before bytes that all lie within the message. */
  length(): number {
    const start = this.position;
    const length = this.uint32();
    if (this.#isWide(start) || length > this.end - this.position) {
      this.fail("a length reaches beyond the end of its message", start);
      return 0;
    }
    return length;
  }

  /** Goes into the message that begins here with its length, and returns what `leave` wants back. */
  enter(): number {
    const length = this.length();
    const outer = this.end;
    this.end = this.position + length;
    return outer;
  }

  /** Goes back to the message around the one that was read to its end. */
  leave(outer: number): void {
    this.position = this.end;
    this.end = outer;
  }

  /** Passes over bytes with their length and returns where they begin; they end at `position`. */
  span(): number {
    const length = this.length();
    const start = this.position;
    this.position = start + length;
    return start;
  }

  /** Eight bytes as a double. `buffer` is the same memory as `bytes`. */
  double(buffer: Buffer): number {
    const start = this.position;
    this.#pass(8);
    return this.failure === null ? buffer.readDoubleLE(start) : 0;
  }

  /** Passes over the value of a field of no interest. */
  skip(tag: number): void {
    switch (tag & 7) {
      case wireType.varint:
        this.uint32();
        return;
      case wireType.fixed64:
        return this.#pass(8);
      case wireType.bytes:
        this.span();
        return;
      case wireType.fixed32:
        return this.#pass(4);
      case wireType.startGroup:
        return this.#skipGroup(tag >>> 3);
      case wireType.endGroup:
        return this.fail("a group ends that has not begun");
      default:
        return this.fail(`wire type ${tag & 7} does not exist`);
    }
  }

  #pass(length: number): void {
    if (length > this.end - this.position) this.fail("a value is cut off");
    else this.position += length;
  }

  /** A group is a message between two tags instead of behind a length. */
  #skipGroup(field: number): void {
    const open = [field];
    while (open.length > 0) {
      const tag = this.tag();
      if (tag === 0) return this.fail("a group has no end");
      if ((tag & 7) === wireType.startGroup) {
        if (open.length === codecLimits.groupDepthMax) return this.fail("groups are nested too deep");
        open.push(tag >>> 3);
      } else if ((tag & 7) === wireType.endGroup) {
        if (open.pop() !== tag >>> 3) return this.fail("a group ends as another one");
      } else this.skip(tag);
    }
  }

  /** Whether the varint from `start` to here is written with more than 32 bits. */
  #isWide(start: number): boolean {
    const length = this.position - start;
    return length > 5 || (length === 5 && (this.bytes[start + 4] as number) > 0x0f);
  }

  #failVarint(reason: string): number {
    this.fail(reason);
    return 0;
  }
}
