import type { HStreamClient } from "@hstream/client";
import type { ChartKind } from "../output/chart.js";
import type { OutputFormat } from "../output/format.js";
import type { Page } from "../output/page.js";
import type { System } from "../system/system.js";
import type { Catalogue } from "./completion/catalogue.js";
import type { HistoryFile } from "./history-file.js";
import type { KeptResult } from "./kept-result.js";
import type { SavedQueries } from "./saved-queries.js";
import type { SessionOutput } from "./session-output.js";
import type { StatementSplitter } from "./statements.js";

/** Which server the shell talks to; `USE CLUSTER` changes it. */
export interface ServerLink {
  client: HStreamClient;
  /** For messages. */
  server: string;
  readonly connect: (url: string) => Promise<void>;
  /** Connects to the same server anew, at once: a channel that lost its server waits ever longer. */
  readonly reconnect: () => Promise<void>;
}

export interface SessionOptions {
  readonly link: ServerLink;
  readonly format: OutputFormat;
  readonly split: StatementSplitter;
  readonly output: SessionOutput;
  readonly system: System;
  readonly history: HistoryFile;
  readonly saved: SavedQueries;
  readonly catalogue: Catalogue | undefined;
}

/** What commands change and statements obey. */
export interface SessionSettings {
  format: OutputFormat;
  live: boolean;
  chart: ChartKind | undefined;
  pager: boolean;
  timing: boolean;
  /** A file that results go to. */
  outputFile: string | undefined;
}

/** What the commands of the shell may do with the session. */
export interface ShellTools {
  readonly options: SessionOptions;
  readonly settings: SessionSettings;
  /** The last statement that ran, for :watch, :plan, :save and :edit. */
  lastSql: string | undefined;
  readonly kept: KeptResult | undefined;
  /** Runs statements in order; false when one failed or was stopped. */
  readonly runSql: (text: string, signal: AbortSignal) => Promise<boolean>;
  /** Prints a text where results go. */
  readonly printResult: (text: string) => Promise<void>;
  /** Prints pages as a finite result, in some format. */
  readonly printPages: (
    pages: readonly Page[],
    columns: readonly string[],
    format: OutputFormat,
  ) => Promise<void>;
}
