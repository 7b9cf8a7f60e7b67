/** What the rpc room asks of this one. */
export interface SqlService {
  /**
   * Runs a script statement by statement. Rejects with the first error, after the events of what came
   * before it; ends early when the signal is aborted. The next event is made when it is asked for.
   */
  execute(sql: string, signal: AbortSignal): AsyncIterable<SqlEvent>;
}

/** One answer of ExecuteSql; see hstream_ext.proto. */
export type SqlEvent =
  | {
      readonly kind: "header";
      readonly statementIndex: number;
      readonly statementKind: "command" | "rows" | "changes";
      readonly columns: readonly { readonly name: string; readonly type: string }[];
      readonly notices: readonly string[];
      /** Of a push query: its id. */
      readonly queryId?: string;
    }
  /** A serialised RowBatch, passed on as it is. */
  | { readonly kind: "rows"; readonly encoded: Uint8Array }
  | {
      readonly kind: "done";
      /** For a command, what was done, in a sentence. */
      readonly message: string;
      readonly rowsAffected: number;
      readonly notices: readonly string[];
    };
