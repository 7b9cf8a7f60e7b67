const entryTag = 0x0a;
const keyTag = 0x0a;
const valueFieldTag = 0x12;

/**
 * The parts of a Struct's entry as entries are nearly always written:
 *
 *   0a length 0a length key 12 length value
 *
 * with a key below 128 bytes, an entry below 16 KiB, and the value as its last part.
 */
export class EntryWalk {
  keyStart = 0;
  keyLength = 0;
  valueStart = 0;
  valueLength = 0;

  /**
   * Where the entry at `at`, of a record that ends at `end`, has its own end; -1 when it is in another form.
   * Bytes beyond the record are undefined or another record's; every length is checked against what is around
   * it.
   */
  read(bytes: Uint8Array, at: number, end: number): number {
    let entryStart = at + 2;
    let entryLength = bytes[at + 1] as number;
    if (entryLength > 0x7f) {
      entryLength = longLength(entryLength, bytes[entryStart] as number);
      entryStart += 1;
    }
    const entryEnd = entryStart + entryLength;
    const keyLength = bytes[entryStart + 1] as number;
    const keyStart = entryStart + 2;
    const keyEnd = keyStart + keyLength;
    let valueStart = keyEnd + 2;
    let valueLength = bytes[keyEnd + 1] as number;
    if (valueLength > 0x7f) {
      valueLength = longLength(valueLength, bytes[valueStart] as number);
      valueStart += 1;
    }
    const expected =
      bytes[at] === entryTag &&
      bytes[entryStart] === keyTag &&
      keyLength <= 0x7f &&
      bytes[keyEnd] === valueFieldTag &&
      valueStart + valueLength === entryEnd &&
      entryEnd <= end;
    if (!expected) return -1;
    this.keyStart = keyStart;
    this.keyLength = keyLength;
    this.valueStart = valueStart;
    this.valueLength = valueLength;
    return entryEnd;
  }
}

/** A varint of two bytes; NaN, which equals nothing, when it has more. */
export function longLength(low: number, high: number): number {
  return high > 0x7f ? Number.NaN : (low & 0x7f) | (high << 7);
}
