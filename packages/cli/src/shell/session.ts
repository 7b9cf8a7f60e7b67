import { HStreamClientError, type SqlStatement } from "@hstream/client";
import type { StatementText } from "@hstream/sql/tokens";
import { exitCodes } from "../exit-codes.js";
import { failureOf, renderFailure } from "../failure.js";
import { visible } from "../output/display.js";
import type { OutputFormat } from "../output/format.js";
import { type Page, pageOfBatch, shortened, slicePage } from "../output/page.js";
import { resultWriter } from "../output/result-writer.js";
import { isDestructive } from "./destructive.js";
import { groupKeys } from "./group-keys.js";
import { KeptResult } from "./kept-result.js";
import { pageOutput } from "./pager.js";
import { Progress } from "./progress.js";
import { followStanding } from "./query-standing.js";
import { runShellCommand } from "./session-commands.js";
import { count } from "./session-output.js";
import { parseShellCommand } from "./shell-command.js";
import type { SessionOptions, SessionSettings, ShellTools } from "./shell-tools.js";
import { chartOfPages, StreamView } from "./stream-view.js";

export type { RunStatus, SessionOutput } from "./session-output.js";
export { count } from "./session-output.js";

/** Longer cells are cut on the screen, and said to be. */
const cellUnitsMax = 2_000;

/** Rows of a finite result that go to the screen; files and `:last` get more. */
const screenRowsMax = 1_000;

/** Runs what the user submits, one thing at a time, and prints what comes of it. */
export class ShellSession implements ShellTools {
  readonly options: SessionOptions;
  readonly settings: SessionSettings;
  /** The last statement that ran, for :watch, :plan, :save and :edit. */
  lastSql: string | undefined;
  kept: KeptResult | undefined;
  #stop: AbortController | undefined;
  #view: StreamView | undefined;
  #progress: Progress | undefined;
  #resume: (() => void) | undefined;
  #paused: Promise<void> | undefined;
  /** The server did not answer the last time. */
  #lost = false;

  constructor(options: SessionOptions) {
    this.options = options;
    const { env } = options.system;
    this.settings = {
      format: options.format,
      live: false,
      chart: undefined,
      pager: (env["HSTREAM_PAGER"] ?? env["PAGER"] ?? "") !== "",
      timing: true,
      outputFile: undefined,
    };
  }

  get running(): boolean {
    return this.#stop !== undefined;
  }

  /** Stops what runs; at once for the eye, in the background for the server. */
  cancel(): void {
    this.#stop?.abort();
    this.#resume?.();
  }

  /** Holds the rows of a push query back, or lets them come again. */
  togglePause(): void {
    if (this.#progress?.endless !== true) return;
    if (this.#resume !== undefined) this.#resume();
    else {
      this.#paused = new Promise((resolve) => {
        this.#resume = () => {
          this.#resume = undefined;
          this.#paused = undefined;
          if (this.#progress !== undefined) this.#progress.paused = false;
          resolve();
        };
      });
      this.#progress.paused = true;
    }
    this.#progress.report();
  }

  /** Shows a push query in the next form. */
  async nextForm(): Promise<void> {
    await this.#view?.next();
    if (this.#progress !== undefined) this.#progress.form = this.#view?.form;
    this.#progress?.report();
  }

  /** Runs a shell command or some statements, up to the first error. Never throws. */
  async run(text: string): Promise<"continue" | "quit"> {
    const stop = new AbortController();
    this.#stop = stop;
    try {
      const command = parseShellCommand(text);
      if (command !== undefined) return await runShellCommand(this, command, stop.signal);
      await this.runSql(text, stop.signal);
    } catch (error) {
      await this.explain(error, stop.signal);
    } finally {
      this.#stop = undefined;
      this.options.output.panel([]);
      this.options.output.status(undefined);
    }
    return "continue";
  }

  /** Runs statements in order; false when one failed or was stopped. */
  async runSql(text: string, signal: AbortSignal): Promise<boolean> {
    for (const statement of this.options.split(text)) {
      this.lastSql = `${statement.text};`;
      if (!(await this.#runStatement(statement, signal))) return false;
    }
    return true;
  }

  /** Prints a text where results go. */
  async printResult(text: string): Promise<void> {
    const { outputFile } = this.settings;
    if (outputFile === undefined) await this.options.output.write(text);
    else await this.options.system.files.append(outputFile, text);
  }

  /** Prints an error; nothing when the user stopped it. */
  async explain(error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { link, output } = this.options;
    const failure = failureOf(error, link.server);
    const lost = failure.exitCode === exitCodes.unreachable;
    this.#lost = lost;
    const after = lost ? "The shell stays; the next statement tries again.\n" : "";
    await output.write(`${renderFailure(failure, output.columns())}${after}\n`);
  }

  /** Prints pages as a finite result, in some format; cells stay whole when asked. */
  async printPages(pages: readonly Page[], columns: readonly string[], format: OutputFormat): Promise<void> {
    const { output } = this.options;
    const toFile = this.settings.outputFile !== undefined;
    const writer = resultWriter(format, {
      write: (text) => this.printResult(text),
      warn: (text) => void output.write(`${text}\n`),
      columns: () => (toFile ? undefined : output.columns()),
      rows: output.rows,
      changes: false,
    });
    for (const page of pages) await writer.page(page);
    await writer.end(columns);
  }

  /** False when the statement failed or was stopped. */
  async #runStatement(statement: StatementText, signal: AbortSignal): Promise<boolean> {
    const { link, output, system } = this.options;
    if (output.confirm !== undefined && isDestructive(statement.text)) {
      const shown = visible(statement.text.replaceAll(/\s+/g, " "));
      if (!(await output.confirm(`${shown}; cannot be undone. Go on?`))) {
        await output.write("Nothing was done.\n\n");
        return false;
      }
    }
    const progress = new Progress({
      clock: system.uptime,
      schedule: system.schedule,
      report: (status) => {
        output.panel(this.#view?.panel(Math.max(1, output.rows() - 3)) ?? []);
        output.status(status);
      },
    });
    this.#progress = progress;
    try {
      if (this.#lost) await link.reconnect();
      this.#lost = false;
      for await (const result of link.client.sql(`${statement.text};`, { signal })) {
        await this.#print(result, statement, progress, signal);
      }
      return true;
    } catch (error) {
      progress.end();
      if (signal.aborted || (error instanceof HStreamClientError && error.reason === "cancelled")) {
        output.discard();
        await this.#leaveInPlace();
        const cut = cutNotice(this.#view?.cutCells ?? 0);
        await output.write(`${cut}Stopped after ${count(progress.rows, "row")}; the query has ended.\n\n`);
      } else await this.explain(error, signal);
      return false;
    } finally {
      progress.end();
      this.#progress = undefined;
      this.#view = undefined;
      this.#resume?.();
    }
  }

  async #leaveInPlace(): Promise<void> {
    this.options.output.panel([]);
    await this.#view?.end([]);
  }

  async #print(
    result: SqlStatement,
    statement: StatementText,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { output, catalogue } = this.options;
    for (const notice of result.notices) await output.write(`notice: ${notice}\n`);
    switch (result.kind) {
      case "changes":
        await this.#follow(result, statement, progress, signal);
        break;
      case "rows":
        await this.#printRows(result, statement, progress);
        break;
      case "command":
        catalogue?.forget();
        break;
    }
    const { message, notices } = await result.done;
    progress.end();
    for (const notice of notices) await output.write(`notice: ${notice}\n`);
    const outcome = result.kind === "command" ? message || "Done." : count(progress.rows, "row");
    const timing = this.settings.timing ? ` (${Math.round(progress.elapsedMs)} ms)` : "";
    await output.write(`${outcome}${timing}\n\n`);
  }

  async #printRows(result: SqlStatement, statement: StatementText, progress: Progress): Promise<void> {
    const { output } = this.options;
    const { settings } = this;
    const toFile = settings.outputFile !== undefined;
    const people = !toFile && (settings.format === "table" || settings.format === "vertical");
    let cut = 0;
    let shown = 0;
    const paged =
      people && settings.pager && output.lend !== undefined ? pageOutput(this.options) : undefined;
    const writer = resultWriter(settings.format, {
      write: paged?.write ?? ((text) => this.printResult(text)),
      warn: (text) => void output.write(`${text}\n`),
      columns: () => (toFile ? undefined : output.columns()),
      rows: output.rows,
      changes: false,
      vertical: statement.verticalOutput,
    });
    const kept = new KeptResult(false);
    for await (const batch of result.batches()) {
      progress.rows += batch.rowCount;
      const page = pageOfBatch(batch);
      kept.add(page);
      if (settings.chart !== undefined) continue;
      if (!people) await writer.page(page);
      else if (paged !== undefined || shown < screenRowsMax) {
        const fitting =
          paged === undefined ? slicePage(page, 0, Math.min(page.rowCount, screenRowsMax - shown)) : page;
        shown += fitting.rowCount;
        await writer.page(
          shortened(fitting, cellUnitsMax, () => {
            cut += 1;
          }),
        );
      }
    }
    const columns = result.columns.map(({ name }) => name);
    kept.columns = columns;
    this.kept = kept;
    if (settings.chart !== undefined) {
      const lines = chartOfPages(settings.chart, kept.pages, output.columns() - 1, output.rows() - 3);
      await this.printResult(`${lines.join("\n")}\n`);
    } else await writer.end(columns);
    await paged?.end();
    const hidden = people && settings.chart === undefined ? progress.rows - shown : 0;
    if (hidden > 0) {
      await output.write(
        `${count(hidden, "more row")}: LIMIT asks for less, :last shows what is kept, :output FILE takes all.\n`,
      );
    }
    await output.write(cutNotice(cut));
  }

  async #follow(
    result: SqlStatement,
    statement: StatementText,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { output } = this.options;
    const { settings } = this;
    const keyColumns = await groupKeys(statement.text);
    const toFile = settings.outputFile !== undefined;
    const chart = settings.chart === undefined ? undefined : (`chart ${settings.chart}` as const);
    const inPlace = output.live && !toFile ? (chart ?? (settings.live ? "live" : undefined)) : undefined;
    const down = statement.verticalOutput ? "vertical" : undefined;
    const view = new StreamView({
      write: (text) => this.printResult(text),
      columns: output.columns,
      rows: output.rows,
      keyColumns,
      form: inPlace ?? down ?? settings.format,
    });
    this.#view = view;
    progress.endless = true;
    progress.form = view.form;
    progress.report();
    const kept = new KeptResult(true);
    this.kept = kept;
    const over = new AbortController();
    if (output.live && result.queryId !== undefined) {
      void followStanding(this, result.queryId, AbortSignal.any([signal, over.signal]), (standing) => {
        progress.standing = standing;
      });
    }
    try {
      await this.#takeRows(result, progress, kept, view, signal);
    } finally {
      over.abort();
    }
    output.panel([]);
    await view.end(result.columns.map(({ name }) => name));
    await output.write(cutNotice(view.cutCells));
  }

  async #takeRows(
    result: SqlStatement,
    progress: Progress,
    kept: KeptResult,
    view: StreamView,
    signal: AbortSignal,
  ): Promise<void> {
    for await (const batch of result.batches()) {
      while (this.#paused !== undefined && !signal.aborted) await this.#paused;
      progress.rows += batch.rowCount;
      const page = pageOfBatch(batch);
      kept.columns = page.columns;
      kept.add(page);
      await view.page(page);
    }
  }
}

function cutNotice(cells: number): string {
  return cells === 0 ? "" : `${count(cells, "cell")} did not fit and end with "…"; :last shows them whole.\n`;
}
