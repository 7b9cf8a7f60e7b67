import type { HStreamClient } from "@hstream/client";
import type { FunctionEntry } from "@hstream/sql/runtime";

export interface KnownRelation {
  readonly name: string;
  readonly kind: "stream" | "view";
}

export interface KnownColumn {
  readonly name: string;
  /** As SQL spells it; undefined for a field that was only seen. */
  readonly type: string | undefined;
}

/** The names that completion may offer: what is known now, without waiting. */
export interface KnownNames {
  readonly relations: readonly KnownRelation[];
  /** Columns of a relation; asks for them in the background when they are not known yet. */
  readonly columns: (relation: string) => readonly KnownColumn[];
  readonly functions: readonly FunctionEntry[];
}

export const catalogueLimits = {
  relationsMax: 10_000,
  columnsMax: 1_000,
  /** Names older than this are asked for again, ms. */
  ageMs: 5_000,
  /** A question that takes longer is given up, ms. */
  answerMs: 2_000,
  /** Records that are looked at for the fields of a stream without declared columns. */
  samplesMax: 20,
} as const;

/** Fetches the names that statements may use, in the background; answers with what it has. */
export class Catalogue implements KnownNames {
  readonly #client: () => HStreamClient;
  readonly #now: () => number;
  readonly #onChange: () => void;
  readonly #columns = new Map<string, { columns: readonly KnownColumn[]; at: number }>();
  #relations: readonly KnownRelation[] = [];
  #functions: readonly FunctionEntry[] = [];
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(client: () => HStreamClient, now: () => number, onChange: () => void) {
    this.#client = client;
    this.#now = now;
    this.#onChange = onChange;
  }

  get relations(): readonly KnownRelation[] {
    if (this.#now() - this.#askedAt > catalogueLimits.ageMs) void this.refresh();
    return this.#relations;
  }

  get functions(): readonly FunctionEntry[] {
    return this.#functions;
  }

  columns(relation: string): readonly KnownColumn[] {
    const known = this.#columns.get(relation);
    if (known === undefined || this.#now() - known.at > catalogueLimits.ageMs) {
      this.#columns.set(relation, { columns: known?.columns ?? [], at: this.#now() });
      if (this.#columns.size <= catalogueLimits.relationsMax) void this.#describe(relation);
    }
    return known?.columns ?? [];
  }

  /** Remembers the columns of a result, for streams that declare none. */
  saw(relation: string, names: readonly string[]): void {
    this.#add(
      relation,
      names.map((name) => ({ name, type: undefined })),
    );
  }

  /** After a statement that may have changed the names. */
  forget(): void {
    this.#askedAt = Number.NEGATIVE_INFINITY;
    for (const entry of this.#columns.values()) entry.at = Number.NEGATIVE_INFINITY;
  }

  /** Asks for the names of streams and views. Never fails: what is not answered is not offered. */
  async refresh(): Promise<void> {
    this.#askedAt = this.#now();
    const [streams, views] = await Promise.all([this.#streams(), this.#firstColumn("SHOW VIEWS;")]);
    const found = [
      ...streams.map((name) => ({ name, kind: "stream" as const })),
      ...views.map((name) => ({ name, kind: "view" as const })),
    ].slice(0, catalogueLimits.relationsMax);
    if (found.length > 0 || this.#relations.length > 0) {
      this.#relations = found;
      this.#onChange();
    }
    if (this.#functions.length === 0) {
      // A module of some size: it is loaded when the prompt stands.
      this.#functions = (await import("@hstream/sql/runtime")).functionTable;
      this.#onChange();
    }
  }

  async #streams(): Promise<readonly string[]> {
    try {
      const settings = { timeoutMs: catalogueLimits.answerMs };
      return (await this.#client().streams.list("", settings)).map(({ name }) => name);
    } catch {
      return this.#relations.filter(({ kind }) => kind === "stream").map(({ name }) => name);
    }
  }

  async #describe(relation: string): Promise<void> {
    const quoted = `"${relation.replaceAll('"', '""')}"`;
    const rows = await this.#rows(`DESCRIBE ${quoted};`);
    const declared = rows.flatMap(([name, type]) =>
      name === undefined || name === "…" ? [] : [{ name, type: type ?? undefined }],
    );
    if (declared.length > 0) this.#add(relation, declared);
    const open = rows.length > declared.length;
    if (declared.length === 0 && open) {
      const { samplesMax } = catalogueLimits;
      this.saw(relation, await this.#columnNames(`SELECT * FROM ${quoted} LIMIT ${samplesMax};`));
    }
    this.#onChange();
  }

  #add(relation: string, columns: readonly KnownColumn[]): void {
    const merged = new Map<string, KnownColumn>();
    for (const column of this.#columns.get(relation)?.columns ?? []) merged.set(column.name, column);
    for (const column of columns) {
      if (column.type !== undefined || !merged.has(column.name)) merged.set(column.name, column);
    }
    const kept = [...merged.values()].slice(0, catalogueLimits.columnsMax);
    this.#columns.set(relation, { columns: kept, at: this.#now() });
  }

  async #firstColumn(sql: string): Promise<readonly string[]> {
    return (await this.#rows(sql)).flatMap(([name]) => (name === undefined ? [] : [name]));
  }

  async #rows(sql: string): Promise<readonly (readonly (string | undefined)[])[]> {
    const rows: (string | undefined)[][] = [];
    try {
      for await (const statement of this.#client().sql(sql, {
        signal: AbortSignal.timeout(catalogueLimits.answerMs),
      })) {
        for await (const batch of statement.batches()) {
          for (let row = 0; row < batch.rowCount; row += 1) {
            rows.push(batch.columns.map((_, column) => batch.values(column).text(row)));
          }
        }
      }
    } catch {
      // Completion does without.
    }
    return rows;
  }

  async #columnNames(sql: string): Promise<readonly string[]> {
    try {
      for await (const statement of this.#client().sql(sql, {
        signal: AbortSignal.timeout(catalogueLimits.answerMs),
      })) {
        for await (const _ of statement.batches());
        return statement.columns.map(({ name }) => name);
      }
    } catch {
      // Likewise.
    }
    return [];
  }
}
