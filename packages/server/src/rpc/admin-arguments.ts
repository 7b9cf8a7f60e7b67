export interface AdminArguments {
  readonly values: readonly string[];
  /** The values of each flag; a flag without one has none. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

/** `name --flag value -f`: what stands behind a flag is its value, unless it is a flag itself. */
export function adminArguments(words: readonly string[]): AdminArguments {
  const values: string[] = [];
  const flags = new Map<string, string[]>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (!word.startsWith("-")) values.push(word);
    else {
      const given = flags.get(word) ?? [];
      const next = words[i + 1];
      if (next !== undefined && !next.startsWith("-") && !isForce(word)) {
        given.push(next);
        i += 1;
      }
      flags.set(word, given);
    }
  }
  return { values, flags };
}

function isForce(word: string): boolean {
  return word === "-f" || word === "--force";
}

export function hasForce({ flags }: AdminArguments): boolean {
  return [...flags.keys()].some(isForce);
}

/** All values of a flag by any of its names. */
export function valuesOf({ flags }: AdminArguments, names: readonly string[]): readonly string[] {
  return names.flatMap((name) => flags.get(name) ?? []);
}

/** The last value of a flag; what it stands for is often given without one, as the first word. */
export function valueOf(given: AdminArguments, names: readonly string[]): string {
  return valuesOf(given, names).at(-1) ?? given.values[0] ?? "";
}

/** NaN if it is not a number. */
export function numberOf(given: AdminArguments, names: readonly string[], fallback: number): number {
  const text = valuesOf(given, names).at(-1);
  return text === undefined ? fallback : Number(text);
}
