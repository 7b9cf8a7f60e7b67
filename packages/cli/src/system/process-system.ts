import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { access, appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHostCounters } from "./host-counters.js";
import type { Output, ProgramCall, StopSignal, System } from "./system.js";

/** The system of this process. */
export function processSystem(): System {
  return {
    argv: process.argv,
    env: process.env,
    stdin: process.stdin,
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    files: {
      read: (path) => readFile(path, "utf8"),
      list: async (path) =>
        (await readdir(path, { withFileTypes: true })).map(
          (one) => one.name + (one.isDirectory() ? "/" : ""),
        ),
      stream: (path) => createReadStream(path, { highWaterMark: 262_144 }),
      size: async (path) => (await stat(path)).size,
      exists: (path) =>
        access(path).then(
          () => true,
          () => false,
        ),
      makeDirectory: async (path) => void (await mkdir(path, { recursive: true })),
      append: (path, text) => appendFile(path, text, { mode: 0o600 }),
      write: (path, text) => writeFile(path, text),
      removeDirectory: (path) => rm(path, { recursive: true, force: true }),
      temporaryDirectory: (prefix) => mkdtemp(join(tmpdir(), prefix)),
    },
    hostCounters: readHostCounters,
    nodeVersion: process.version,
    version: async () => {
      // From dist/system as well as from the bundle, the package is not far above.
      for (const above of ["../package.json", "../../package.json"]) {
        const text = await readFile(new URL(above, import.meta.url), "utf8").catch(() => undefined);
        if (text !== undefined) return String((JSON.parse(text) as { version: unknown }).version);
      }
      return "0.0.0";
    },
    uptime: () => performance.now(),
    now: () => Date.now(),
    schedule: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const stop = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", stop);
          resolve();
        };
        const timer = setTimeout(stop, ms);
        signal.addEventListener("abort", stop);
      }),
    onSignal: (callback) => {
      const signals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
      const listeners = signals.map((signal) => ({ signal, listener: () => callback(signal) }));
      for (const { signal, listener } of listeners) process.on(signal, listener);
      return () => {
        for (const { signal, listener } of listeners) process.off(signal, listener);
      };
    },
    onExit: (callback) => {
      process.once("exit", callback);
      return () => void process.off("exit", callback);
    },
    runProgram,
    suspend: () =>
      new Promise((resolve) => {
        process.once("SIGCONT", () => resolve());
        process.kill(process.pid, "SIGTSTP");
      }),
  };
}

function runProgram({ command, args, input, env }: ProgramCall): Promise<number | undefined> {
  return new Promise((resolve) => {
    const stdin = input === undefined ? "inherit" : "pipe";
    const child = spawn(command, [...args], {
      stdio: [stdin, "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    child.once("error", () => resolve(undefined));
    child.once("close", (code) => resolve(code ?? 1));
    // A pager may be left before it has read everything.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    isTty: stream.isTTY === true,
    stream,
    columns: () => (stream.isTTY ? stream.columns : undefined),
    rows: () => (stream.isTTY ? stream.rows : undefined),
    write: async (text) => {
      if (text === "" || stream.write(text)) return;
      await new Promise<void>((resolve) => {
        const settle = () => {
          stream.off("drain", settle);
          stream.off("close", settle);
          resolve();
        };
        stream.on("drain", settle);
        stream.on("close", settle);
      });
    },
  };
}

/** Ends the process without a word when the reader of its output has gone. */
export function endQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE" || error.code === "EIO") process.exit(141);
      throw error;
    });
  }
}

/**
 * Ends the process once what was written has drained. Closes nothing that a caller forgot: open
 * connections would otherwise keep a finished command alive.
 */
export async function endProcess(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => {
      if (stream.destroyed || stream.writableEnded) resolve();
      else stream.write("", () => resolve());
    });
  }
  process.exit(code);
}

/**
 * Before any module of the terminal is loaded: makes them obey NO_COLOR, skip their debug build, and draw
 * although CI is set, since whoever calls this is on a terminal.
 */
export function prepareTerminalModules(colours: boolean): void {
  // By way of a name, since bundlers replace the expression itself.
  const mode = "NODE_ENV";
  process.env[mode] ??= "production";
  if (!colours) process.env["FORCE_COLOR"] = "0";
  for (const name of Object.keys(process.env)) {
    if (name === "CI" || name === "CONTINUOUS_INTEGRATION" || name.startsWith("CI_"))
      delete process.env[name];
  }
}

/** A defect ends the process in words; its stack, and what Node finds dated, is for --debug. */
export function describeDefects(): void {
  const off = ["", "0", "false", "no", "off"];
  const debug = process.argv.includes("--debug") || !off.includes(process.env["HSTREAM_DEBUG"] ?? "");
  Object.assign(process, { noDeprecation: !debug });
  const report = (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const stack = debug && error instanceof Error ? `${error.stack}\n` : "";
    process.stderr.write(`error: ${message}\n${stack}`);
    process.exit(1);
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}
