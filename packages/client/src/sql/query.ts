import { HStreamClientError } from "../errors.js";
import type { SqlRow } from "./batch.js";
import type { SqlExecution } from "./execution.js";
import type { SqlStatement } from "./statement.js";

/** What a push query tells: a row that is new, or the new state of a keyed one; or one that is gone. */
export interface SqlChange<Row = SqlRow> {
  readonly kind: "insert" | "delete";
  readonly row: Row;
}

/**
 * The rows of one query. Iterate over it, over `changes()`, or await `all()`: one of them, once. It runs
 * from then on; leaving the loop ends it at the server, too. Fails with HStreamClientError (reason "sql"
 * with diagnostics, "usage" when the text has no rows or more than one statement).
 */
export class SqlQuery<Row = SqlRow> implements AsyncIterable<Row>, AsyncDisposable {
  readonly #execution: SqlExecution;
  readonly #parse: (row: SqlRow) => Row;

  constructor(execution: SqlExecution, parse: (row: SqlRow) => Row) {
    this.#execution = execution;
    this.#parse = parse;
  }

  /** Rows as they come. What a push query takes back is not told: see `changes`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    for await (const { kind, row } of this.changes()) if (kind === "insert") yield row;
  }

  /** Rows that come, and rows that go. */
  async *changes(): AsyncGenerator<SqlChange<Row>, void, undefined> {
    for await (const statement of this.#execution) {
      this.#expectQuery(statement);
      for await (const batch of statement.batches()) {
        for (let row = 0; row < batch.rowCount; row += 1) {
          yield { kind: batch.isDeletion(row) ? "delete" : "insert", row: this.#parse(batch.row(row)) };
        }
      }
    }
  }

  /** All rows of a query that ends. The caller sees to it that they fit the memory. */
  async all(): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for await (const row of this) rows.push(row);
    return rows;
  }

  /** Ends the query; what is being awaited then fails with reason "cancelled". */
  cancel(): void {
    this.#execution.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
  }

  #expectQuery(statement: SqlStatement): void {
    const isSecond = statement.index > 0;
    if (!isSecond && statement.kind !== "command") return;
    throw new HStreamClientError({
      reason: "usage",
      message: isSecond ? "A query is one statement; this text has more." : "The statement has no rows.",
      hint: "client.sql(text) runs statements of any kind, and several.",
    });
  }
}
