import type { SqlType } from "../types/sql-type.js";

/** A column that DDL declared, or that a view or system table has. */
export interface CatalogColumn {
  readonly name: string;
  readonly type: SqlType;
  /** One line, for DESCRIBE (system tables). */
  readonly help?: string;
}

/** What can stand in FROM. */
export interface Relation {
  readonly kind: "stream" | "view" | "table";
  /** Never reused: a dropped and re-created stream has another one. */
  readonly id: string;
  readonly name: string;
  /** Declared columns; empty for a stream without a declaration. */
  readonly columns: readonly CatalogColumn[];
  /** Whether records may have fields that are not declared (streams: yes). */
  readonly open: boolean;
  /** Whether it only ever grows (streams, unless they carry deletions). */
  readonly appendOnly: boolean;
  /** The declared column that holds a stream's time; without it, that is the append time. */
  readonly timeColumn?: string;
  /** How far a record may lie behind and not be late; else 0 for append time and 10 s for a column. */
  readonly latenessMs?: number;
}

/** The names that a statement may speak of, at one moment. */
export interface Catalog {
  relation(name: string): Relation | undefined;
  /** All names, for "did you mean" and completion. */
  relationNames(): readonly string[];
}
