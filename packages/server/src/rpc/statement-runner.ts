import { decodeRowBatch, isMalformed, must, RowBatch } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { SqlOptions, SqlService } from "../queries/sql-service.js";

/** A row by the names of its columns, as a Struct of the API. */
export type StructRow = { [column: string]: unknown };

/** Runs single statements for the calls that answer all at once. */
export class StatementRunner {
  readonly #sql: SqlService;

  constructor(sql: SqlService) {
    this.#sql = sql;
  }

  /**
   * The rows of a finite answer. Rejects with what the statement fails with, and with AnswerTooLarge when
   * the rows do not fit an answer.
   */
  async rows(sql: string, signal: AbortSignal, options: SqlOptions = {}): Promise<StructRow[]> {
    const rows: StructRow[] = [];
    let names: string[] = [];
    let bytes = 0;
    for await (const event of this.#sql.execute(sql, signal, options)) {
      if (event.kind === "header") names = event.columns.map(({ name }) => name);
      if (event.kind !== "rows") continue;
      const batch = RowBatch.decode(event.encoded);
      names.push(...batch.addedColumns.map(({ name }) => name));
      const decoded = decodeRowBatch(batch, names.length);
      if (isMalformed(decoded)) throw new HStreamError("Internal", {}, null, new Error(decoded.reason));
      for (let row = 0; row < decoded.rowCount; row++) {
        const cells = decoded.columns.map((column, index) => {
          const value = column.get(row);
          // A Struct has no integers; what is beyond its numbers stays exact as text.
          return [
            must(names[index], "a column has a name"),
            typeof value === "bigint" ? String(value) : value,
          ];
        });
        // Own properties, so that a column may be called __proto__.
        const struct = Object.fromEntries(cells) as StructRow;
        bytes += JSON.stringify(struct).length + 8 * cells.length;
        if (bytes > limits.responseBytesMax) {
          throw new HStreamError("AnswerTooLarge", { max: limits.responseBytesMax });
        }
        rows.push(struct);
      }
    }
    return rows;
  }
}

/** A name as SQL reads it back. */
export function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
