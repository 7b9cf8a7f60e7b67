import type { ClientReadableStream } from "@grpc/grpc-js";
import { type ExecuteSqlResponse, HStreamExtService } from "@hstream/proto";
import { clientClosed, type Connection } from "../connection.js";
import { fromGrpc, HStreamClientError } from "../errors.js";
import { type SqlOutcome, SqlStatement } from "./statement.js";

export interface SqlOptions {
  /** Cancels the script; what is being awaited then fails with reason "cancelled". */
  readonly signal?: AbortSignal;
}

/** A script that runs: iterate over its statements, in order. Rows that are skipped are dropped. */
export class SqlExecution implements AsyncIterable<SqlStatement>, AsyncDisposable {
  readonly #connection: Connection;
  readonly #text: string;
  readonly #signal: AbortSignal | undefined;
  #call: ClientReadableStream<ExecuteSqlResponse> | undefined;
  #answers: AsyncIterator<ExecuteSqlResponse> | undefined;
  #cancelled = false;

  constructor(connection: Connection, text: string, options: SqlOptions) {
    this.#connection = connection;
    this.#text = text;
    this.#signal = options.signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SqlStatement, void, undefined> {
    this.#start();
    try {
      for (;;) {
        const answer = await this.#next();
        if (answer === undefined) return;
        if (answer.event?.$case !== "header") {
          throw new HStreamClientError({ reason: "protocol", message: "A statement came without a header." });
        }
        const statement = new SqlStatement(answer.event.value, () => this.#next());
        yield statement;
        await statement.done;
      }
    } finally {
      this.cancel();
    }
  }

  /** Runs the script to its end and says how each statement ended; rows are dropped. */
  async finish(): Promise<readonly SqlOutcome[]> {
    const outcomes: SqlOutcome[] = [];
    for await (const statement of this) outcomes.push(await statement.done);
    return outcomes;
  }

  /** Stops the script; the server is told at once. */
  cancel(): void {
    this.#cancelled = true;
    this.#call?.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
  }

  #start(): void {
    if (this.#call !== undefined) {
      throw new HStreamClientError({ reason: "usage", message: "A script can be iterated once." });
    }
    this.#throwIfCancelled();
    const node = this.#connection.nodeAddress(this.#connection.addresses[0]);
    const request = { sql: this.#text };
    const call = this.#connection.serverStream(node, HStreamExtService.executeSql, request);
    const cancel = () => this.cancel();
    this.#signal?.addEventListener("abort", cancel, { once: true });
    call.once("close", () => this.#signal?.removeEventListener("abort", cancel));
    this.#call = call;
    this.#answers = call[Symbol.asyncIterator]();
  }

  async #next(): Promise<ExecuteSqlResponse | undefined> {
    this.#throwIfCancelled();
    try {
      const step = await this.#answers?.next();
      this.#throwIfCancelled();
      return step === undefined || step.done === true ? undefined : step.value;
    } catch (error) {
      this.#throwIfCancelled();
      throw this.#connection.closed ? clientClosed() : fromGrpc(error);
    }
  }

  #throwIfCancelled(): void {
    if (this.#cancelled || this.#signal?.aborted === true) {
      throw new HStreamClientError({ reason: "cancelled", message: "The statement was cancelled." });
    }
  }
}
