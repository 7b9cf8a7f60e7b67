import { HStreamClient } from "@hstream/client";
import { Catalogue } from "../shell/completion/catalogue.js";
import { historyFile } from "../shell/history-file.js";
import { SavedQueries } from "../shell/saved-queries.js";
import { type RunStatus, type SessionOutput, ShellSession } from "../shell/session.js";
import type { ServerLink } from "../shell/shell-tools.js";
import { loadSplitter } from "../shell/statements.js";
import { processSystem } from "../system/process-system.js";
import type { ProgramCall, System } from "../system/system.js";

/** A session of the shell without a terminal: what it prints is gathered. */
export interface TestSession {
  readonly session: ShellSession;
  readonly output: () => string;
  /** Runs a text; what it printed. */
  readonly run: (text: string) => Promise<string>;
  readonly panels: (readonly string[])[];
  readonly statuses: RunStatus[];
  readonly programs: ProgramCall[];
  /** What the session asked. */
  readonly questions: readonly string[];
  readonly catalogue: Catalogue;
  readonly directory: string;
  /** Settles once what was printed or drawn satisfies. */
  readonly until: (holds: () => boolean) => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function openTestSession(
  url: string,
  options: {
    readonly columns?: number;
    readonly rows?: number;
    readonly env?: Record<string, string>;
    /** What the user says to every question: yes. */
    readonly answer?: boolean;
  } = {},
): Promise<TestSession> {
  const real = processSystem();
  const directory = await real.files.temporaryDirectory("hstream-session-");
  const programs: ProgramCall[] = [];
  const system: System = {
    ...real,
    env: { HOME: directory, XDG_STATE_HOME: directory, XDG_CONFIG_HOME: directory, ...options.env },
    runProgram: async (call) => {
      programs.push(call);
      return 0;
    },
  };
  let text = "";
  let watch: () => void = () => {};
  const panels: (readonly string[])[] = [];
  const statuses: RunStatus[] = [];
  const questions: string[] = [];
  const output: SessionOutput = {
    write: async (piece) => {
      text += piece;
      watch();
    },
    discard: () => {},
    columns: () => options.columns ?? 80,
    rows: () => options.rows ?? 24,
    status: (status) => {
      if (status !== undefined) statuses.push(status);
      watch();
    },
    panel: (lines) => {
      if (lines.length > 0) panels.push(lines);
      watch();
    },
    live: true,
    lend: (work) => work(),
    confirm: async (question) => {
      questions.push(question);
      return options.answer ?? true;
    },
    prefill: () => {},
  };
  const link: ServerLink = {
    client: await HStreamClient.connect(url, { retryPauseMs: 10 }),
    server: url.replace("hstream://", ""),
    connect: async (other) => {
      link.client = await HStreamClient.connect(other, { retryPauseMs: 10 });
      link.server = other.replace("hstream://", "");
    },
    reconnect: async () => {
      link.client = await HStreamClient.connect(url, { retryPauseMs: 10 });
    },
  };
  const saved = new SavedQueries(system);
  const catalogue = new Catalogue(
    () => link.client,
    system.uptime,
    () => watch(),
  );
  const history = historyFile(system, undefined);
  const split = await loadSplitter();
  const session = new ShellSession({
    link,
    format: "table",
    split,
    output,
    system,
    history,
    saved,
    catalogue,
  });
  return {
    session,
    output: () => text,
    run: async (input) => {
      const before = text.length;
      await session.run(input);
      return text.slice(before);
    },
    panels,
    statuses,
    programs,
    questions,
    catalogue,
    directory,
    until: (holds) =>
      new Promise((resolve) => {
        watch = () => {
          if (holds()) resolve();
        };
        watch();
      }),
    close: async () => {
      session.cancel();
      await link.client.close();
      await real.files.removeDirectory(directory);
    },
  };
}
