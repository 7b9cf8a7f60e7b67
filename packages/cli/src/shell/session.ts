import { type HStreamClient, HStreamClientError, type SqlStatement } from "@hstream/client";
import type { StatementText } from "@hstream/sql/tokens";
import { failureOf, renderFailure } from "../failure.js";
import { exitCodes } from "../exit-codes.js";
import type { OutputFormat } from "../output/format.js";
import { pageOfBatch } from "../output/page.js";
import { resultWriter } from "../output/result-writer.js";
import { parseShellCommand, shellHelp } from "./shell-command.js";
import type { StatementSplitter } from "./statements.js";

/** What a statement that runs has brought so far. */
export interface RunStatus {
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly elapsedMs: number;
  readonly endless: boolean;
}

/** Where a session prints. */
export interface SessionOutput {
  /** Settles when there is room for more. */
  readonly write: (text: string) => Promise<void>;
  /** Drops what was written and is not on the screen yet. */
  readonly discard: () => void;
  readonly columns: () => number;
  readonly rows: () => number;
  /** Called now and then while something runs, and with undefined when it is over. */
  readonly status: (status: RunStatus | undefined) => void;
}

export interface SessionOptions {
  readonly client: HStreamClient;
  readonly server: string;
  readonly format: OutputFormat;
  readonly split: StatementSplitter;
  readonly output: SessionOutput;
  /** Milliseconds, never going back. */
  readonly clock: () => number;
  readonly schedule: (ms: number, callback: () => void) => () => void;
}

const statusEveryMs = 250;

/** Runs what the user submits, one thing at a time, and prints what comes of it. */
export class ShellSession {
  readonly #options: SessionOptions;
  #stop: AbortController | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#stop !== undefined;
  }

  /** Stops what runs; at once for the eye, in the background for the server. */
  cancel(): void {
    this.#stop?.abort();
  }

  /** Runs a shell command or some statements, up to the first error. Never throws. */
  async run(text: string): Promise<"continue" | "quit"> {
    const command = parseShellCommand(text);
    if (command !== undefined) return this.#runCommand(command);
    const stop = new AbortController();
    this.#stop = stop;
    try {
      for (const statement of this.#options.split(text)) {
        if (!(await this.#runStatement(statement, stop.signal))) break;
      }
    } finally {
      this.#stop = undefined;
      this.#options.output.status(undefined);
    }
    return "continue";
  }

  async #runCommand(
    command: NonNullable<ReturnType<typeof parseShellCommand>>,
  ): Promise<"continue" | "quit"> {
    const { write } = this.#options.output;
    switch (command.kind) {
      case "quit":
        return "quit";
      case "help":
        await write(`${shellHelp}\n`);
        return "continue";
      case "unknown": {
        const suggestion = command.suggestion === undefined ? "" : ` Did you mean ${command.suggestion}?`;
        await write(`There is no command ":${command.word}".${suggestion} :help lists them.\n\n`);
        return "continue";
      }
    }
  }

  /** False when the statement failed or was stopped. */
  async #runStatement(statement: StatementText, signal: AbortSignal): Promise<boolean> {
    const { client, output, clock } = this.#options;
    const progress = new Progress(this.#options, clock());
    try {
      for await (const result of client.sql(`${statement.text};`, { signal })) {
        await this.#print(result, statement.verticalOutput, progress);
      }
      return true;
    } catch (error) {
      progress.end();
      if (signal.aborted || (error instanceof HStreamClientError && error.reason === "cancelled")) {
        output.discard();
        await output.write(`Stopped after ${count(progress.rows, "row")}; the query has ended.\n\n`);
      } else await output.write(this.#describe(error));
      return false;
    } finally {
      progress.end();
    }
  }

  async #print(result: SqlStatement, vertical: boolean, progress: Progress): Promise<void> {
    const { output, format, clock } = this.#options;
    for (const notice of result.notices) await output.write(`notice: ${notice}\n`);
    const changes = result.kind === "changes";
    if (changes) progress.endless();
    const writer = resultWriter(format, {
      write: output.write,
      warn: (text) => void output.write(`${text}\n`),
      columns: output.columns,
      rows: output.rows,
      changes,
      vertical,
    });
    for await (const batch of result.batches()) {
      progress.add(batch.rowCount);
      await writer.page(pageOfBatch(batch));
    }
    const { message, notices } = await result.done;
    if (result.kind !== "command") await writer.end(result.columns.map(({ name }) => name));
    progress.end();
    const ms = Math.round(clock() - progress.startedAt);
    for (const notice of notices) await output.write(`notice: ${notice}\n`);
    const outcome = result.kind === "command" ? message || "Done." : count(progress.rows, "row");
    await output.write(`${outcome} (${ms} ms)\n\n`);
  }

  #describe(error: unknown): string {
    const failure = failureOf(error, this.#options.server);
    const lost = failure.exitCode === exitCodes.unreachable;
    const after = lost ? "The shell stays; the next statement tries again.\n" : "";
    return `${renderFailure(failure, this.#options.output.columns())}${after}\n`;
  }
}

/** Counts rows, and reports now and then. */
class Progress {
  readonly startedAt: number;
  rows = 0;
  readonly #options: SessionOptions;
  #endless = false;
  #cancelTimer: (() => void) | undefined;
  #lastRows = 0;
  #lastAt: number;

  constructor(options: SessionOptions, startedAt: number) {
    this.#options = options;
    this.startedAt = startedAt;
    this.#lastAt = startedAt;
    this.#arm();
  }

  add(rows: number): void {
    this.rows += rows;
  }

  endless(): void {
    this.#endless = true;
    this.#report();
  }

  end(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #arm(): void {
    this.#cancelTimer = this.#options.schedule(statusEveryMs, () => {
      this.#report();
      this.#arm();
    });
  }

  #report(): void {
    const now = this.#options.clock();
    const seconds = (now - this.#lastAt) / 1_000;
    const rowsPerSecond = seconds > 0 ? (this.rows - this.#lastRows) / seconds : 0;
    this.#lastAt = now;
    this.#lastRows = this.rows;
    const elapsedMs = now - this.startedAt;
    this.#options.output.status({ rows: this.rows, rowsPerSecond, elapsedMs, endless: this.#endless });
  }
}

/** `1 row`, `2 rows`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}
