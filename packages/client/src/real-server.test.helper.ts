import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createNodeEnv,
  resolveConfig,
  type RunningServer,
  type ServerOptions,
  startServer,
} from "@hstream/server";
import { type ConnectOptions, HStreamClient } from "./index.js";

export type Flags = Readonly<Record<string, string | number>>;

/** A server within this process, with data of its own. */
export interface RealServer {
  readonly server: RunningServer;
  readonly url: string;
  stop(): Promise<void>;
}

export async function startRealServer(
  flags: Flags = {},
  scheme = "hstream",
  options: Partial<ServerOptions> = {},
): Promise<RealServer> {
  const directory = mkdtempSync(join(tmpdir(), "hstream-client-"));
  const server = await serve({ "data-dir": join(directory, "data"), port: 0, ...flags }, options);
  return {
    server,
    url: `${scheme}://127.0.0.1:${server.port}`,
    stop: async () => {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Starts a server with these settings. */
export async function serve(flags: Flags, options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const resolved = resolveConfig({ flags: { ...flags } });
  if (resolved.kind === "errors") throw new Error(JSON.stringify(resolved.errors));
  return startServer({ config: resolved.config, env: createNodeEnv(), version: "0.0.0-test", ...options });
}

/** Files of secrets, by their names, in a directory that is removed again. */
export function writeSecrets(files: Readonly<Record<string, string>>): {
  readonly path: (name: string) => string;
  readonly remove: () => void;
} {
  const directory = mkdtempSync(join(tmpdir(), "hstream-secrets-"));
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  return {
    path: (name) => join(directory, name),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A server in a process of its own, which can be killed and started again on the same port and data. */
export class KillableServer {
  readonly #directory = mkdtempSync(join(tmpdir(), "hstream-kill-"));
  readonly #flags: Flags;
  #process: ChildProcess | undefined;
  port = 0;

  private constructor(flags: Flags) {
    this.#flags = flags;
  }

  static async start(flags: Flags = {}): Promise<KillableServer> {
    const server = new KillableServer(flags);
    await server.start();
    return server;
  }

  get url(): string {
    return `hstream://127.0.0.1:${this.port}`;
  }

  connect(options: ConnectOptions = {}): Promise<HStreamClient> {
    return HStreamClient.connect(this.url, { retryPauseMs: 300, ...options });
  }

  async start(): Promise<void> {
    const flags = { "data-dir": join(this.#directory, "data"), port: this.port, ...this.#flags };
    const process = fork(serverProcess, [JSON.stringify(flags)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#process = process;
    const [port] = (await Promise.race([once(process, "message"), failed(process)])) as [number];
    this.port = port;
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    process.kill("SIGKILL");
    await once(process, "exit");
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const serverProcess = fileURLToPath(new URL("./server-process.test.helper.js", import.meta.url));

async function failed(process: ChildProcess): Promise<never> {
  const [code] = (await once(process, "exit")) as [number | null];
  throw new Error(`the server ended with ${code} before it was ready`);
}
