import type { StatementDone, StatementHeader, StatementKind } from "@hstream/proto";

/** What comes of running a script, statement by statement: a header, rows as they are made, an end. */
export type SqlEvent = SqlHeader | SqlRows | SqlDone;

/** The API's StatementHeader; its `kind` is called `statementKind` here. */
export interface SqlHeader extends Readonly<Omit<StatementHeader, "kind">> {
  readonly kind: "header";
  readonly statementKind: StatementKind;
}

export interface SqlRows {
  readonly kind: "rows";
  /** A serialized RowBatch, forwarded without being decoded. */
  readonly encoded: Uint8Array;
}

/** The API's StatementDone. */
export interface SqlDone extends Readonly<StatementDone> {
  readonly kind: "done";
}

export interface SqlOptions {
  /** What a query that the script makes is called; else it is chosen. */
  readonly queryName?: string;
}

/** Runs SQL. The queries room implements it; the next event is asked for when the last was accepted. */
export interface SqlService {
  /** Ends at the first error, which it throws. `signal` is aborted when the caller has gone. */
  execute(sql: string, signal: AbortSignal, options?: SqlOptions): AsyncIterable<SqlEvent>;
}
