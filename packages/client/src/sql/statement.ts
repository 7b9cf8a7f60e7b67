import { type ExecuteSqlResponse, type StatementHeader, StatementKind } from "@hstream/proto";
import { HStreamClientError } from "../errors.js";
import { SqlBatch, type SqlColumn, type SqlRow } from "./batch.js";

/** How a statement ended. */
export interface SqlOutcome {
  /** For a command, what was done, in a sentence; empty otherwise. */
  readonly message: string;
  /** Records that an INSERT stored. */
  readonly rowsAffected: number;
  readonly notices: readonly string[];
}

/**
 * One statement of a script that runs. Read it by `rows()` or `batches()`, once; or await `done`, which
 * drops the rows nobody reads.
 */
export class SqlStatement implements AsyncIterable<SqlRow> {
  /** Its place in the script, from 0. */
  readonly index: number;
  /** `command`: no rows; `rows`: a finite answer; `changes`: goes on until cancelled. */
  readonly kind: "command" | "rows" | "changes";
  readonly notices: readonly string[];
  /** Of a push query. */
  readonly queryId: string | undefined;
  readonly #next: () => Promise<ExecuteSqlResponse | undefined>;
  readonly #outcome: Deferred<SqlOutcome>;
  #columns: readonly SqlColumn[];
  #reading = false;

  constructor(header: StatementHeader, next: () => Promise<ExecuteSqlResponse | undefined>) {
    this.index = header.statementIndex;
    this.kind = kindOf(header.kind);
    this.notices = header.notices;
    this.queryId = header.queryId === "" ? undefined : header.queryId;
    this.#columns = header.columns;
    this.#next = next;
    this.#outcome = defer();
  }

  /** The columns known so far; rows of a stream without declared columns can add more. */
  get columns(): readonly SqlColumn[] {
    return this.#columns;
  }

  /** How it ended. Reads on to the end unless a reader is at work. */
  get done(): Promise<SqlOutcome> {
    if (!this.#reading) void this.#drain();
    return this.#outcome.promise;
  }

  [Symbol.asyncIterator](): AsyncGenerator<SqlRow, void, undefined> {
    return this.rows();
  }

  /** The rows as objects. A row that a push query takes back is not among them: see `batches`. */
  async *rows(): AsyncGenerator<SqlRow, void, undefined> {
    for await (const batch of this.batches()) {
      for (let row = 0; row < batch.rowCount; row += 1) {
        if (!batch.isDeletion(row)) yield batch.row(row);
      }
    }
  }

  /** The rows as they travel: batches of columns. */
  async *batches(): AsyncGenerator<SqlBatch, void, undefined> {
    if (this.#reading) {
      throw new HStreamClientError({ reason: "usage", message: "A statement's rows can be read once." });
    }
    this.#reading = true;
    try {
      for (;;) {
        const batch = await this.#read();
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      this.#reading = false;
    }
  }

  async #drain(): Promise<void> {
    this.#reading = true;
    try {
      while ((await this.#read()) !== undefined);
    } catch {
      // `done` carries the error.
    } finally {
      this.#reading = false;
    }
  }

  /** The next batch; undefined once the statement is done. */
  async #read(): Promise<SqlBatch | undefined> {
    if (this.#outcome.settled()) {
      await this.#outcome.promise;
      return undefined;
    }
    try {
      const answer = await this.#next();
      switch (answer?.event?.$case) {
        case "rows": {
          const { value } = answer.event;
          if (value.addedColumns.length > 0) this.#columns = [...this.#columns, ...value.addedColumns];
          return new SqlBatch(value, this.#columns);
        }
        case "done": {
          const { message, rowsAffected, notices } = answer.event.value;
          this.#outcome.resolve({ message, rowsAffected: Number(rowsAffected), notices });
          return undefined;
        }
        case "header":
        case undefined:
          throw new HStreamClientError({
            reason: "protocol",
            message: `The answer to statement ${this.index + 1} broke off.`,
          });
      }
    } catch (error) {
      this.#outcome.reject(error);
      throw error;
    }
  }
}

function kindOf(kind: StatementKind): SqlStatement["kind"] {
  if (kind === StatementKind.STATEMENT_ROWS) return "rows";
  return kind === StatementKind.STATEMENT_CHANGES ? "changes" : "command";
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly settled: () => boolean;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function defer<T>(): Deferred<T> {
  let settled = false;
  let accept: (value: T) => void = () => {};
  let refuse: (error: unknown) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => {
    accept = resolve;
    refuse = reject;
  });
  // Whoever reads the rows sees the error; `done` may have no listener.
  promise.catch(() => {});
  return {
    promise,
    settled: () => settled,
    resolve: (value) => {
      settled = true;
      accept(value);
    },
    reject: (error) => {
      settled = true;
      refuse(error);
    },
  };
}
