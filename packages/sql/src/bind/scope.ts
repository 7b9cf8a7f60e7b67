import type { Relation } from "../catalog/catalog.js";
import type { LogicalColumn, ScanOutput } from "../plan/logical.js";
import { DYNAMIC, JSONB, TIMESTAMP } from "../types/types.js";

/** Gives each column of a query an id of its own. */
export class ColumnIds {
  #next = 0;

  next(): number {
    return this.#next++;
  }
}

/** The name under which a stream's record shows its append time. */
export const appendTimeName = "_append_time";

/**
 * A relation in FROM, by the name it has in the query. Columns come into being when they are asked for, so
 * that the scan reads what the query names and no more.
 */
export class RelationScope {
  readonly relation: Relation;
  readonly name: string;
  readonly #ids: ColumnIds;
  readonly #columns = new Map<string, ScanOutput>();
  #record: ScanOutput | undefined;

  constructor(relation: Relation, name: string, ids: ColumnIds) {
    this.relation = relation;
    this.name = name;
    this.#ids = ids;
  }

  /** What the scan must read. */
  get columns(): readonly ScanOutput[] {
    return this.#record === undefined
      ? [...this.#columns.values()]
      : [...this.#columns.values(), this.#record];
  }

  declares(name: string): boolean {
    return this.relation.columns.some((column) => column.name === name);
  }

  /** The column of that name; undefined when the relation cannot have one. */
  column(name: string): LogicalColumn | undefined {
    const known = this.#columns.get(name);
    if (known !== undefined) return known;
    const column = this.#create(name);
    if (column !== undefined) this.#columns.set(name, column);
    return column;
  }

  #create(name: string): ScanOutput | undefined {
    const index = this.relation.columns.findIndex((column) => column.name === name);
    const declared = this.relation.columns[index];
    const stream = this.relation.kind === "stream";
    if (declared !== undefined) {
      const { type } = declared;
      const from = stream
        ? ({ kind: "field", name, type } as const)
        : ({ kind: "relation-column", index } as const);
      return { id: this.#ids.next(), name, type, from };
    }
    if (!stream) return undefined;
    if (name === appendTimeName) {
      return { id: this.#ids.next(), name, type: TIMESTAMP, from: { kind: "append-time" } };
    }
    if (!this.relation.open) return undefined;
    return { id: this.#ids.next(), name, type: DYNAMIC, from: { kind: "field", name, type: DYNAMIC } };
  }

  /** The whole record of a stream. */
  record(): LogicalColumn {
    this.#record ??= { id: this.#ids.next(), name: "*", type: JSONB, from: { kind: "record" } };
    return this.#record;
  }
}
