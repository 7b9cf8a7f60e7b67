import fc from "fast-check";

/** Valid bytes with some of them changed, cut out, put in, or cut off: what gets past the first checks. */
export function mutated(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    kind: fc.constantFrom("set", "insert", "remove", "truncate"),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    byte: fc.oneof(fc.constantFrom(0x00, 0x0a, 0x12, 0x1a, 0x7f, 0x80, 0xff, 0x0b, 0x0c), fc.nat(255)),
  });
  return fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 4 })).map(([bytes, changes]) => {
    let result = [...bytes];
    for (const { kind, at, byte } of changes) {
      const index = Math.floor(at * result.length);
      if (kind === "set") result[index] = byte;
      else if (kind === "insert") result.splice(index, 0, byte);
      else if (kind === "remove") result.splice(index, 1);
      else result = result.slice(0, index);
    }
    return Uint8Array.from(result);
  });
}

/** Anything at all, and anything nearly right. */
export function hostile(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
    { weight: 4, arbitrary: mutated(valid) },
  );
}

/** Fields that no message of ours has, of every wire type, groups within groups among them. */
export const unknownFields: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.constantFrom(
      [0xf8, 0x01, 0x96, 0x01],
      [0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8],
      [0xfa, 0x01, 2, 0xff, 0x0a],
      [0xfd, 0x01, 1, 2, 3, 4],
      [0xfb, 0x01, 0x08, 1, 0x13, 0x14, 0xfc, 0x01],
    ),
    { maxLength: 3 },
  )
  .map((fields) => Uint8Array.from(fields.flat()));

/** Text of all planes, short and long. A leading byte order mark is left out: protobuf's decoder eats it. */
export const text: fc.Arbitrary<string> = fc
  .oneof(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 40 }), fc.constant("__proto__"))
  .filter((value) => !value.startsWith("\ufeff"));

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The same bytes somewhere within a larger memory, as they come from a socket. */
export function embedded(bytes: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0xff, 0xff, 0xff), bytes, Uint8Array.of(0xff, 0xff)).subarray(
    3,
    3 + bytes.length,
  );
}
