import { HStreamError } from "../errors.js";

/** A relation that a query writes, and those that it reads. */
export interface Writing {
  readonly relation: string;
  readonly sources: readonly string[];
}

/**
 * A query whose answer comes back to what it reads would write for ever: throws InvalidSql where the new one would.
 * `present`: the queries that there are.
 */
export function refuseCycle({ relation, sources }: Writing, present: readonly Writing[]): void {
  const seen = new Set<string>();
  const pending = sources.map((name) => ({ name, way: [name] }));
  for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
    const { name, way } = top;
    if (name === relation) {
      const message = `What is written to ${relation} would come back to it: ${[...way, relation].join(" ← ")}`;
      throw new HStreamError("InvalidSql", { message });
    }
    if (seen.has(name)) continue;
    seen.add(name);
    for (const writing of present) {
      if (writing.relation !== name) continue;
      pending.push(...writing.sources.map((source) => ({ name: source, way: [...way, source] })));
    }
  }
}
