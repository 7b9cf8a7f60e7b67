import type { NameNode } from "../ast/ast.js";
import type { Relation } from "../catalog/catalog.js";
import type { Expression } from "../plan/expression.js";
import { columnExpression, type LogicalColumn, type ScanOutput } from "../plan/logical.js";
import { columnsIn } from "../plan/rewrite.js";
import { DYNAMIC, JSONB, STRING, TIMESTAMP } from "../types/types.js";

/** Gives each column of a statement an id of its own. */
export class ColumnIds {
  #next = 0;

  next(): number {
    return this.#next++;
  }
}

/** The name under which a stream's record shows its append time. */
export const appendTimeName = "_append_time";

/** What * stands for. */
export interface StarColumn {
  readonly name: string;
  readonly expression: Expression;
  readonly spread: boolean;
}

/** A relation in FROM, by the name it has in the query. */
export interface ScopeRelation {
  readonly name: string;
  /** Its own name, for hints; undefined for a subquery. */
  readonly relationName: string | undefined;
  /** Whether it may have columns that nobody declared. */
  readonly open: boolean;
  readonly columnNames: readonly string[];
  declares(name: string): boolean;
  /** The column of that name; undefined when the relation cannot have one. */
  resolve(name: string): Expression | undefined;
  star(): readonly StarColumn[];
}

/**
 * A stream, view or table. Columns come into being when they are asked for, so that the scan reads what the
 * query names and no more.
 */
export class RelationScope implements ScopeRelation {
  readonly relation: Relation;
  readonly name: string;
  readonly #ids: ColumnIds;
  readonly #columns = new Map<string, ScanOutput>();
  readonly #renamed: ReadonlyMap<string, string>;
  #record: ScanOutput | undefined;

  /** `columnAliases`: other names of the first declared columns. */
  constructor(relation: Relation, name: string, ids: ColumnIds, columnAliases: readonly NameNode[] = []) {
    this.relation = relation;
    this.name = name;
    this.#ids = ids;
    this.#renamed = new Map(
      columnAliases.flatMap((alias, i) => {
        const column = relation.columns[i];
        return column === undefined ? [] : [[alias.text, column.name] as const];
      }),
    );
  }

  get relationName(): string {
    return this.relation.name;
  }

  get open(): boolean {
    return this.relation.open;
  }

  get columnNames(): readonly string[] {
    const renamed = new Map([...this.#renamed].map(([alias, name]) => [name, alias]));
    return this.relation.columns.map((column) => renamed.get(column.name) ?? column.name);
  }

  /** What the scan must read. */
  get columns(): readonly ScanOutput[] {
    return this.#record === undefined
      ? [...this.#columns.values()]
      : [...this.#columns.values(), this.#record];
  }

  /** The records' time: the named field, or the append time. */
  time(name: string | undefined): Expression {
    const own = name === undefined ? undefined : (this.#renamed.get(name) ?? name);
    const type = this.relation.columns.find((column) => column.name === own)?.type ?? DYNAMIC;
    const from =
      own === undefined
        ? ({ kind: "time" } as const)
        : ({ kind: "time", field: { name: own, type } } as const);
    return this.#hidden("time", own ?? appendTimeName, from);
  }

  /** The source's watermark before each record. */
  watermark(): Expression {
    return this.#hidden("watermark", "watermark", { kind: "watermark" });
  }

  /** A column that no name in the query means. */
  #hidden(what: string, name: string, from: ScanOutput["from"]): Expression {
    const key = ` ${what}`;
    const known = this.#columns.get(key);
    if (known !== undefined) return columnExpression(known);
    const column: ScanOutput = { id: this.#ids.next(), name, type: TIMESTAMP, from };
    this.#columns.set(key, column);
    return columnExpression(column);
  }

  declares(name: string): boolean {
    const own = this.#renamed.get(name) ?? name;
    return this.relation.columns.some((column) => column.name === own);
  }

  resolve(name: string): Expression | undefined {
    const known = this.#columns.get(name);
    if (known !== undefined) return columnExpression(known);
    const column = this.#create(name);
    if (column === undefined) return undefined;
    this.#columns.set(name, column);
    return columnExpression(column);
  }

  /** The declared columns, by their types, then the fields that nobody declared. */
  star(): readonly StarColumn[] {
    const declared = this.columnNames.flatMap((name) => {
      const expression = this.resolve(name);
      return expression === undefined ? [] : [{ name, expression, spread: false }];
    });
    if (!this.open) return declared;
    return [...declared, { name: "*", expression: columnExpression(this.#rest()), spread: true }];
  }

  #create(name: string): ScanOutput | undefined {
    const own = this.#renamed.get(name) ?? name;
    const index = this.relation.columns.findIndex((column) => column.name === own);
    const declared = this.relation.columns[index];
    const stream = this.relation.kind === "stream";
    if (declared !== undefined) {
      const { type } = declared;
      const from = stream
        ? ({ kind: "field", name: own, type } as const)
        : ({ kind: "relation-column", index } as const);
      return { id: this.#ids.next(), name, type, from };
    }
    if (!stream) return undefined;
    if (name === appendTimeName) {
      // A record that takes a row back was appended later than the row.
      if (!this.relation.appendOnly) return undefined;
      return { id: this.#ids.next(), name, type: TIMESTAMP, from: { kind: "append-time" } };
    }
    if (!this.relation.open) return undefined;
    return { id: this.#ids.next(), name, type: DYNAMIC, from: { kind: "field", name, type: DYNAMIC } };
  }

  #rest(): LogicalColumn {
    const without = this.relation.columns.map((column) => column.name);
    this.#record ??= { id: this.#ids.next(), name: "*", type: JSONB, from: { kind: "record", without } };
    return this.#record;
  }
}

/** A column of a query: `spread` for a whole record that stands for its fields. */
export interface QueryColumn {
  readonly column: LogicalColumn;
  readonly spread: boolean;
}

/** A subquery or common table. A record among its columns may have any field. */
export class DerivedScope implements ScopeRelation {
  readonly name: string;
  readonly relationName: undefined;
  readonly #columns: readonly QueryColumn[];
  readonly #names: readonly string[];

  constructor(name: string, columns: readonly QueryColumn[], columnAliases: readonly NameNode[] = []) {
    this.name = name;
    this.#columns = columns;
    this.#names = columns.map(({ column }, i) => columnAliases[i]?.text ?? column.name);
  }

  get open(): boolean {
    return this.#columns.some((column) => column.spread);
  }

  get columnNames(): readonly string[] {
    return this.#names.filter((_, i) => this.#columns[i]?.spread !== true);
  }

  declares(name: string): boolean {
    return this.columnNames.includes(name);
  }

  resolve(name: string): Expression | undefined {
    const found = this.#columns.find(({ spread }, i) => !spread && this.#names[i] === name);
    if (found !== undefined) return columnExpression(found.column);
    const record = this.#columns.find((column) => column.spread);
    if (record === undefined) return undefined;
    const field: Expression = { kind: "literal", value: name, type: STRING };
    return { kind: "call", function: "->", args: [columnExpression(record.column), field], type: DYNAMIC };
  }

  star(): readonly StarColumn[] {
    return this.#columns.map(({ column, spread }, i) => {
      return { name: this.#names[i] ?? column.name, expression: columnExpression(column), spread };
    });
  }
}

/** The column that USING or NATURAL made of two. */
export interface MergedColumn {
  readonly name: string;
  readonly expression: Expression;
}

export interface FoundColumn {
  readonly expression: Expression;
  /** Of the relation that has it; undefined for a merged column. */
  readonly relation: ScopeRelation | undefined;
  /** Relations that could have it too. */
  readonly others: readonly ScopeRelation[];
}

/** All that names may mean in one query block. */
export class Scope {
  readonly relations: readonly ScopeRelation[];
  readonly merged: readonly MergedColumn[];
  /** Of the query around this one. */
  readonly outer: Scope | undefined;
  /** Ids of the outer query's columns that were used. */
  readonly correlated = new Set<number>();
  /** Ids of the grouping columns, which win where a name could mean several. */
  readonly preferred = new Set<number>();

  constructor(
    relations: readonly ScopeRelation[],
    merged: readonly MergedColumn[] = [],
    outer: Scope | undefined = undefined,
  ) {
    this.relations = relations;
    this.merged = merged;
    this.outer = outer;
  }

  relation(name: string): ScopeRelation | undefined {
    return this.relations.find((relation) => relation.name === name);
  }

  declares(name: string): boolean {
    return (
      this.merged.some((column) => column.name === name) ||
      this.relations.some((relation) => relation.declares(name))
    );
  }

  /** An unqualified name: the merged column, else who declares it, else who may have it; the left one of several. */
  find(name: string): FoundColumn | undefined {
    const merged = this.merged.find((column) => column.name === name);
    if (merged !== undefined) return { expression: merged.expression, relation: undefined, others: [] };
    const declaring = this.relations.filter((relation) => relation.declares(name));
    const candidates = declaring.length > 0 ? declaring : this.relations.filter((relation) => relation.open);
    const found = candidates.length > 0 ? candidates : this.relations;
    const resolved = found.flatMap((relation) => {
      // Only what is taken may come into being; a grouping column already is.
      if (found[0] !== relation && this.preferred.size === 0) return [];
      const expression = relation.resolve(name);
      return expression === undefined ? [] : [{ expression, relation }];
    });
    const grouped = resolved.find(({ expression }) =>
      [...columnsIn(expression)].some((id) => this.preferred.has(id)),
    );
    const best = grouped ?? resolved[0];
    if (best === undefined) return this.#anywhere(name);
    const others = grouped === undefined ? candidates.filter((other) => other !== best.relation) : [];
    return { ...best, others };
  }

  /** Such as the append time, which no stream declares. */
  #anywhere(name: string): FoundColumn | undefined {
    for (const relation of this.relations) {
      const expression = relation.resolve(name);
      if (expression !== undefined) return { expression, relation, others: [] };
    }
    return undefined;
  }
}
