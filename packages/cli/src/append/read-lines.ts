/** A line of the source, counted from 1. */
export interface SourceLine {
  readonly line: number;
  readonly text: string;
}

/** A longer line is refused: no record of that size fits a batch. */
export const lineUnitsMax = 8 * 1_048_576;

/** Thrown for input that cannot be a record; names its line. */
export class BadInput extends Error {
  override readonly name = "BadInput";
  readonly line: number;

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.line = line;
  }
}

/** Pieces of text as they come, lines cut out of them, in batches. The last line needs no end. */
export async function* readLines(
  source: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<readonly SourceLine[]> {
  const decoder = new TextDecoder();
  let rest = "";
  let line = 0;
  const cut = (text: string, last: boolean): SourceLine[] => {
    const parts = text.split("\n");
    rest = last ? "" : (parts.pop() ?? "");
    if (rest.length > lineUnitsMax) throw new BadInput(line + parts.length + 1, "it is longer than 8 MiB");
    const lines: SourceLine[] = [];
    for (const part of parts) {
      line += 1;
      const plain = part.endsWith("\r") ? part.slice(0, -1) : part;
      // A byte order mark is no part of the first record.
      lines.push({ line, text: line === 1 && plain.startsWith("\uFEFF") ? plain.slice(1) : plain });
    }
    return lines;
  };
  for await (const piece of source) {
    const text = typeof piece === "string" ? piece : decoder.decode(piece, { stream: true });
    const lines = cut(rest + text, false);
    if (lines.length > 0) yield lines;
  }
  const last = rest + decoder.decode();
  if (last !== "") yield cut(last, true);
}
