import { compareTotal, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import { type Column, isTimestamp, valueAt } from "../columns.js";

/**
 * Numbers the distinct values that it meets, 0, 1, 2 …: equal values (as SQL's grouping has it: NULL
 * equals NULL, 1 equals DECIMAL 1) get one number. Numbers and texts, which are nearly all keys there
 * are, have hash tables of their own that compare the value itself; the rest goes by its exact row key.
 */
export class ValueIndex {
  readonly #numbers = new NumberTable();
  readonly #times = new NumberTable();
  readonly #texts = new TextTable();
  readonly #others = new Map<string, number>();
  #count = 0;
  #otherBytes = 0;
  /** False while a value is only looked for. */
  #adds = true;

  /** How many distinct values there are. */
  get count(): number {
    return this.#count;
  }

  /** Writes the number of each row's value to `ids`. */
  idsOf(column: Column, rowCount: number, ids: Int32Array): void {
    switch (column.kind) {
      case "float64":
        for (let row = 0; row < rowCount; row++) {
          ids[row] =
            column.nulls?.[row] === 1 ? this.#other(null) : this.#number(column.values[row] as number);
        }
        return;
      case "timestamp": {
        // Times come in runs: windows, and records of one moment.
        let last = Number.NaN;
        let id = -1;
        for (let row = 0; row < rowCount; row++) {
          if (column.nulls?.[row] === 1) ids[row] = this.#other(null);
          else {
            const ms = column.values[row] as number;
            if (ms !== last) {
              id = this.#time(ms);
              last = ms;
            }
            ids[row] = id;
          }
        }
        return;
      }
      case "text": {
        const { bytes, starts, ends, nulls } = column;
        const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        for (let row = 0; row < rowCount; row++) {
          ids[row] =
            nulls?.[row] === 1
              ? this.#other(null)
              : this.#text(words, starts[row] as number, ends[row] as number);
        }
        return;
      }
      case "boolean":
        for (let row = 0; row < rowCount; row++) {
          ids[row] = this.#other(column.nulls?.[row] === 1 ? null : column.values[row] === 1);
        }
        return;
      case "any":
        for (let row = 0; row < rowCount; row++) ids[row] = this.idOf(column.values[row] as SqlValue);
        return;
      case "decimal":
      case "textList":
      case "record":
        for (let row = 0; row < rowCount; row++) ids[row] = this.idOf(valueAt(column, row));
        return;
    }
  }

  idOf(value: SqlValue): number {
    if (typeof value === "number") return this.#number(value);
    if (typeof value === "string") {
      const bytes = new TextEncoder().encode(value);
      return this.#text(new DataView(bytes.buffer), 0, bytes.length);
    }
    if (typeof value === "bigint" || (typeof value === "object" && value !== null && "unscaled" in value)) {
      // Exact numbers that are a double, too, are that double.
      const double = typeof value === "bigint" ? Number(value) : Number(value.unscaled) / 10 ** value.scale;
      if (Number.isFinite(double) && compareTotal(value, double) === 0) return this.#number(double);
    }
    return isTimestamp(value) ? this.#time(value.ms) : this.#other(value);
  }

  /** The number of a value that was met before. */
  find(value: SqlValue): number | undefined {
    this.#adds = false;
    const id = this.idOf(value);
    this.#adds = true;
    return id === notFound ? undefined : id;
  }

  /** Estimated. */
  bytes(): number {
    return this.#numbers.bytes() + this.#times.bytes() + this.#texts.bytes() + this.#otherBytes;
  }

  /** The number of a new value; notFound when none is wanted. */
  get #next(): number {
    return this.#adds ? this.#count : notFound;
  }

  #number(value: number): number {
    const id = this.#numbers.idOf(value, this.#next);
    if (id === this.#count) this.#count += 1;
    return id;
  }

  #time(ms: number): number {
    const id = this.#times.idOf(ms, this.#count);
    if (id === this.#count) this.#count += 1;
    return id;
  }

  #text(bytes: DataView, start: number, end: number): number {
    const id = this.#texts.idOf(bytes, start, end, this.#next);
    if (id === this.#count) this.#count += 1;
    return id;
  }

  #other(value: SqlValue): number {
    const key = rowKeyText([value]);
    let id = this.#others.get(key);
    if (id === undefined) {
      if (!this.#adds) return notFound;
      id = this.#count++;
      this.#others.set(key, id);
      this.#otherBytes += entryBytes + key.length;
    }
    return id;
  }
}

const notFound = -1;
const entryBytes = 64;
const tableSlotsMin = 64;

/** Multiplicative mixing of 32 bits, as in MurmurHash3's finalizer. */
function mix(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

function hashNumber(value: number): number {
  // + 0: the two zeros are one.
  float[0] = value + 0;
  return mix((words[0] as number) ^ Math.imul(words[1] as number, 0x9e3779b1));
}

/** Open addressing with linear probing, at most half full. -1 marks a free slot. */
class NumberTable {
  #ids = new Int32Array(tableSlotsMin).fill(-1);
  #keys = new Float64Array(tableSlotsMin);
  #used = 0;

  /** The id of the value; `next` when it is new, which is not kept when that is notFound. */
  idOf(value: number, next: number): number {
    const mask = this.#ids.length - 1;
    let slot = hashNumber(value) & mask;
    for (;;) {
      const id = this.#ids[slot] as number;
      if (id === -1) break;
      if (this.#keys[slot] === value) return id;
      slot = (slot + 1) & mask;
    }
    if (next === notFound) return next;
    this.#ids[slot] = next;
    this.#keys[slot] = value;
    this.#used += 1;
    if (this.#used * 2 > this.#ids.length) this.#grow();
    return next;
  }

  bytes(): number {
    return this.#ids.length * 12;
  }

  #grow(): void {
    const ids = this.#ids;
    const keys = this.#keys;
    this.#ids = new Int32Array(ids.length * 2).fill(-1);
    this.#keys = new Float64Array(ids.length * 2);
    const mask = this.#ids.length - 1;
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === -1) continue;
      let slot = hashNumber(keys[i] as number) & mask;
      while (this.#ids[slot] !== -1) slot = (slot + 1) & mask;
      this.#ids[slot] = ids[i] as number;
      this.#keys[slot] = keys[i] as number;
    }
  }
}

/** The parts of a slot of TextTable, and of what stands in front of each key in its arena, in bytes. */
const slot = { hash: 0, key: 1, width: 2 } as const;
const keyHead = { id: 0, length: 4, bytes: 8 } as const;

/**
 * Open addressing with linear probing, at most three quarters full. A slot has a hash, and where its key is in
 * an arena, beside its id and its length: what a look-up touches is small, and in two places. Keys stand from 8
 * on, so 0 marks a free slot.
 *
 *   slots: [ hash, key ] …      arena: 8 bytes [ id u32, length u32, the key's bytes, up to 3 more ] …
 */
class TextTable {
  #slots = new Int32Array(tableSlotsMin * slot.width);
  #used = 0;
  #arena = new DataView(new ArrayBuffer(1024));
  #arenaUsed = 8;

  /** The id of the text at [start, end); `next` when it is new, which is not kept when that is notFound. */
  idOf(bytes: DataView, start: number, end: number, next: number): number {
    const hash = hashBytes(bytes, start, end);
    const slots = this.#slots;
    const mask = slots.length - slot.width;
    let at = Math.imul(hash, slot.width) & mask;
    for (;;) {
      const key = slots[at + slot.key] as number;
      if (key === 0) break;
      if (slots[at] === hash && this.#equals(key, bytes, start, end)) return this.#arena.getInt32(key, true);
      at = (at + slot.width) & mask;
    }
    if (next !== notFound) this.#add(at, hash, next, bytes, start, end);
    return next;
  }

  bytes(): number {
    return this.#slots.byteLength + this.#arena.byteLength;
  }

  #equals(key: number, bytes: DataView, start: number, end: number): boolean {
    const arena = this.#arena;
    if (arena.getInt32(key + keyHead.length, true) !== end - start) return false;
    const offset = key + keyHead.bytes - start;
    const last = end - 4;
    let at = start;
    for (; at <= last; at += 4)
      if (bytes.getInt32(at, true) !== arena.getInt32(at + offset, true)) return false;
    for (; at < end; at++) if (bytes.getUint8(at) !== arena.getUint8(at + offset)) return false;
    return true;
  }

  #add(at: number, hash: number, id: number, bytes: DataView, start: number, end: number): void {
    const length = end - start;
    const key = this.#arenaUsed;
    this.#arenaUsed = (key + keyHead.bytes + length + 3) & ~3;
    if (this.#arenaUsed > this.#arena.byteLength) this.#growArena();
    this.#arena.setInt32(key + keyHead.id, id, true);
    this.#arena.setInt32(key + keyHead.length, length, true);
    const from = new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
    new Uint8Array(this.#arena.buffer).set(from, key + keyHead.bytes);
    this.#slots[at + slot.hash] = hash;
    this.#slots[at + slot.key] = key;
    this.#used += 1;
    if (this.#used * slot.width * 4 > this.#slots.length * 3) this.#grow();
  }

  #growArena(): void {
    const larger = new Uint8Array(Math.max(this.#arena.byteLength * 2, this.#arenaUsed));
    larger.set(new Uint8Array(this.#arena.buffer));
    this.#arena = new DataView(larger.buffer);
  }

  #grow(): void {
    const before = this.#slots;
    const slots = new Int32Array(before.length * 2);
    const mask = slots.length - slot.width;
    for (let from = 0; from < before.length; from += slot.width) {
      if (before[from + slot.key] === 0) continue;
      let at = Math.imul(before[from] as number, slot.width) & mask;
      while (slots[at + slot.key] !== 0) at = (at + slot.width) & mask;
      slots[at] = before[from] as number;
      slots[at + slot.key] = before[from + slot.key] as number;
    }
    this.#slots = slots;
  }
}

/** Four bytes at a time; the last four may have been read before. Multiplied and mixed as MurmurHash3 does. */
function hashBytes(bytes: DataView, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  if (hash < 4) {
    for (; at < end; at++) hash = (hash << 8) | bytes.getUint8(at);
    return mix(hash);
  }
  const last = end - 4;
  for (; at < last; at += 4) {
    hash = Math.imul(hash ^ bytes.getInt32(at, true), 0xcc9e2d51);
    hash ^= hash >>> 15;
  }
  return mix(Math.imul(hash ^ bytes.getInt32(last, true), 0xcc9e2d51));
}

/** Numbers the distinct pairs of two numbers; several keys are pairs of pairs. */
export class PairIndex {
  #ids = new Int32Array(tableSlotsMin).fill(-1);
  #left = new Int32Array(tableSlotsMin);
  #right = new Int32Array(tableSlotsMin);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The number of a pair that was met before. */
  find(left: number, right: number): number | undefined {
    const id = this.idOf(left, right, false);
    return id === notFound ? undefined : id;
  }

  idOf(left: number, right: number, adds = true): number {
    const mask = this.#ids.length - 1;
    let slot = mix(left ^ Math.imul(right, 0x9e3779b1)) & mask;
    for (;;) {
      const id = this.#ids[slot] as number;
      if (id === -1) break;
      if (this.#left[slot] === left && this.#right[slot] === right) return id;
      slot = (slot + 1) & mask;
    }
    if (!adds) return notFound;
    const id = this.#count++;
    this.#ids[slot] = id;
    this.#left[slot] = left;
    this.#right[slot] = right;
    if (this.#count * 2 > this.#ids.length) this.#grow();
    return id;
  }

  bytes(): number {
    return this.#ids.length * 12;
  }

  #grow(): void {
    const [ids, lefts, rights] = [this.#ids, this.#left, this.#right];
    const length = ids.length * 2;
    this.#ids = new Int32Array(length).fill(-1);
    this.#left = new Int32Array(length);
    this.#right = new Int32Array(length);
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === -1) continue;
      const [left, right] = [lefts[i] as number, rights[i] as number];
      let slot = mix(left ^ Math.imul(right, 0x9e3779b1)) & (length - 1);
      while (this.#ids[slot] !== -1) slot = (slot + 1) & (length - 1);
      this.#ids[slot] = ids[i] as number;
      this.#left[slot] = left;
      this.#right[slot] = right;
    }
  }
}
