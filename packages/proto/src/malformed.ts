/** Bytes that are not what they should be: an answer of a decoder, which never throws because of its input. */
export interface Malformed {
  readonly kind: "malformed";
  /** Where in the given bytes the decoder stopped. */
  readonly offset: number;
  readonly reason: string;
}

export function malformed(offset: number, reason: string): Malformed {
  return { kind: "malformed", offset, reason };
}

/** Tells a decoder's complaint from its result. */
export function isMalformed(result: object): result is Malformed {
  return "kind" in result && result.kind === "malformed";
}
