import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const cliEntry = fileURLToPath(new URL("../main.js", import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The environment of a child: ours without what would change how it prints. */
export function childEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^(HSTREAM_|CI$|NO_COLOR$|FORCE_COLOR$)/.test(name)) env[name] = value;
  }
  return { ...env, ...more };
}

/** Runs the built command line and waits for its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = startCli(args, options.env);
  child.process.stdin?.end(options.input ?? "");
  return child.ended;
}

export interface RunningCli {
  readonly process: ChildProcess;
  readonly ended: Promise<CliResult>;
  /** Settles with all of stdout once it matches. */
  readonly until: (pattern: RegExp) => Promise<string>;
}

/** Starts the built command line. */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCli {
  const child = spawn(process.execPath, [cliEntry, ...args], { env: childEnv(env) });
  let stdout = "";
  let stderr = "";
  let notify: () => void = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    notify();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        if (pattern.test(stdout)) resolve(stdout);
      };
      notify = check;
      check();
      void ended.then(() => reject(new Error(`ended before ${pattern}: ${stdout}${stderr}`)));
    });
  return { process: child, ended, until };
}
