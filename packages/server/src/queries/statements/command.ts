import type { SqlEvent } from "../sql-service.js";

/** What a statement answers that does something and has no rows. */
export function* commandEvents(
  statementIndex: number,
  message: string,
  rowsAffected = 0,
  notices: readonly string[] = [],
): Generator<SqlEvent> {
  yield { kind: "header", statementIndex, statementKind: 0, columns: [], notices: [...notices], queryId: "" };
  yield { kind: "done", message, rowsAffected: BigInt(rowsAffected), notices: [] };
}
