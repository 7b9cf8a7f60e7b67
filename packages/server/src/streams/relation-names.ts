/**
 * Streams and views share one space of names, but stand in documents of their own. Whoever makes one
 * reserves its name first, so that of two creators at the same moment one is told that it is taken.
 */
export class RelationNames {
  readonly #holders: ((name: string) => boolean)[] = [];
  /** By name: what waits for the reservation to end. */
  readonly #reserved = new Map<string, (() => void)[]>();

  /** Adds a kind of relation, by the question whether there is one of a given name. */
  addHolder(has: (name: string) => boolean): void {
    this.#holders.push(has);
  }

  /** Keeps the name for the caller until it calls the result; undefined if the name is taken. */
  reserve(name: string): (() => void) | undefined {
    if (this.#reserved.has(name) || this.#holders.some((has) => has(name))) return undefined;
    this.#reserved.set(name, []);
    return () => {
      const waiting = this.#reserved.get(name) ?? [];
      this.#reserved.delete(name);
      for (const resolve of waiting) resolve();
    };
  }

  /** Resolves when nobody has the name reserved: what was being made is there, or was given up. */
  settled(name: string): Promise<void> {
    const waiting = this.#reserved.get(name);
    return waiting === undefined ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  }
}
