import { Readable } from "node:stream";
import { runCommandLine } from "../run-command-line.js";
import { processSystem } from "../system/process-system.js";
import type { Output, StopSignal, System } from "../system/system.js";
import type { CliResult } from "./run-cli.js";

export interface HereOptions {
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly env?: Readonly<Record<string, string>>;
  /** Set: standard output is a terminal of this width. */
  readonly columns?: number;
  /** Called with each piece of standard output. */
  readonly onOutput?: (text: string) => void;
  /** Aborted: the process is asked to end with this signal. */
  readonly interrupt?: { readonly signal: AbortSignal; readonly as: StopSignal };
}

/** Runs a command within this process: no start of Node, the same code. */
export async function runHere(args: readonly string[], options: HereOptions = {}): Promise<CliResult> {
  let stdout = "";
  let stderr = "";
  const real = processSystem();
  const system: System = {
    ...real,
    argv: ["node", "hstream", ...args],
    env: { HOME: "/nonexistent", PATH: process.env["PATH"] ?? "", ...options.env },
    stdin: stdinOf(options.input),
    stdout: output(options.columns, (text) => {
      stdout += text;
      options.onOutput?.(text);
    }),
    stderr: output(undefined, (text) => {
      stderr += text;
    }),
    onSignal: (callback) => {
      const { interrupt } = options;
      const listener = () => callback(interrupt?.as ?? "SIGINT");
      interrupt?.signal.addEventListener("abort", listener);
      return () => interrupt?.signal.removeEventListener("abort", listener);
    },
  };
  // The parser of flags reads the environment of the process, all of it before its first pause.
  const before = process.env;
  process.env = { ...system.env };
  const running = runCommandLine(system);
  process.env = before;
  const code = await running;
  return { code, stdout, stderr };
}

function stdinOf(input: HereOptions["input"]): NodeJS.ReadStream {
  const pieces = input === undefined ? [] : typeof input === "string" ? [Buffer.from(input)] : input;
  const source = pieces instanceof Uint8Array ? [pieces] : pieces;
  return Object.assign(Readable.from(source), { isTTY: false }) as unknown as NodeJS.ReadStream;
}

function output(columns: number | undefined, take: (text: string) => void): Output {
  return {
    isTty: columns !== undefined,
    stream: process.stdout,
    columns: () => columns,
    rows: () => (columns === undefined ? undefined : 24),
    write: async (text) => take(text),
  };
}
