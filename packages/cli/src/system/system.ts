/** What the commands need of the process they run in. */
export interface System {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly files: Files;
  readonly hostCounters: () => Promise<HostCounters>;
  /** As Node spells it: v20.20.2. */
  readonly nodeVersion: string;
  /** The version of this package. */
  readonly version: () => Promise<string>;
  /** Milliseconds since the process started, with fractions. */
  readonly uptime: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Calls back once after `ms`; the answer cancels it. */
  readonly schedule: (ms: number, callback: () => void) => () => void;
  /** Waits so long, or until the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Calls back when the process is asked to end; the answer stops listening. */
  readonly onSignal: (callback: (signal: StopSignal) => void) => () => void;
  /** Calls back, synchronously, when the process ends; the answer forgets it. */
  readonly onExit: (callback: () => void) => () => void;
  /** Runs another program on this terminal; settles with its exit code, undefined when it cannot be started. */
  readonly runProgram: (program: ProgramCall) => Promise<number | undefined>;
  /** Stops this process as Ctrl-Z does; settles when it goes on. */
  readonly suspend: () => Promise<void>;
}

export interface ProgramCall {
  readonly command: string;
  readonly args: readonly string[];
  /** Written to its standard input; without it, it has the terminal's. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** A standard stream to write to. */
export interface Output {
  readonly isTty: boolean;
  readonly stream: NodeJS.WriteStream;
  /** Cells in a line; undefined when it is not a terminal. */
  readonly columns: () => number | undefined;
  readonly rows: () => number | undefined;
  /** Writes; settles when the reader has room for more. */
  readonly write: (text: string) => Promise<void>;
}

/** Files, as far as commands use them. Failures reject with the errors of node:fs. */
export interface Files {
  readonly read: (path: string) => Promise<string>;
  /** Names in a directory, those of directories with a slash behind them. */
  readonly list: (path: string) => Promise<readonly string[]>;
  /** The bytes of a file, in pieces. */
  readonly stream: (path: string) => AsyncIterable<Uint8Array>;
  /** Bytes of a file. */
  readonly size: (path: string) => Promise<number>;
  readonly exists: (path: string) => Promise<boolean>;
  readonly makeDirectory: (path: string) => Promise<void>;
  readonly append: (path: string, text: string) => Promise<void>;
  readonly write: (path: string, text: string) => Promise<void>;
  /** Makes one, and answers with its path. */
  readonly temporaryDirectory: (prefix: string) => Promise<string>;
  /** With all that is in it. */
  readonly removeDirectory: (path: string) => Promise<void>;
}

/** What a machine has counted since it started. */
export interface HostCounters {
  readonly host: string;
  /** Over all processors. */
  readonly cpuBusyMs: number;
  readonly cpuTotalMs: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  /** 0 where the kernel does not say. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}
