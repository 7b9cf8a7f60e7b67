import type { ClientReadableStream } from "@grpc/grpc-js";
import { type ExecuteSqlResponse, HStreamExtService } from "@hstream/proto";
import type { Connection } from "../connection.js";
import { fromGrpc, HStreamClientError } from "../errors.js";
import { SqlStatement } from "./statement.js";

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

  /** Runs the script to its end; the outcome of the last statement's rows is dropped. */
  async finish(): Promise<void> {
    for await (const statement of this) await statement.done;
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
    const method = HStreamExtService.executeSql;
    const call: ClientReadableStream<ExecuteSqlResponse> = this.#connection
      .channel(this.#connection.nodeAddress(this.#connection.addresses[0]))
      .makeServerStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        { sql: this.#text },
        this.#connection.metadata,
      );
    // The iterator reports errors; without a listener a late one would end the process.
    call.on("error", () => {});
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
      throw fromGrpc(error);
    }
  }

  #throwIfCancelled(): void {
    if (this.#cancelled || this.#signal?.aborted === true) {
      throw new HStreamClientError({ reason: "cancelled", message: "The statement was cancelled." });
    }
  }
}
