import { CommandError } from "./failure.js";
import { exitCodes } from "./exit-codes.js";
import type { System } from "./system/system.js";

/** A server in this process. */
export interface EmbeddedServer {
  readonly address: string;
  readonly port: number;
  /** Drains and ends. */
  close(): Promise<void>;
}

export interface EmbeddedServerFlags {
  readonly dataDir?: string | undefined;
  readonly config?: string | undefined;
  readonly host?: string | undefined;
  /** "0" for any free one. */
  readonly port?: string | undefined;
}

interface ServerModule {
  startServer(options: {
    readonly config: Readonly<Record<string, string>>;
    readonly env: Readonly<Record<string, string | undefined>>;
  }): Promise<EmbeddedServer>;
}

/** Starts a server within this process. Flags are stronger than the environment. */
export async function startEmbeddedServer(
  system: System,
  flags: EmbeddedServerFlags,
): Promise<EmbeddedServer> {
  const name: string = "@hstream/server";
  const { startServer } = (await import(name)) as ServerModule;
  const given = Object.entries({
    "data-dir": flags.dataDir,
    config: flags.config,
    host: flags.host,
    port: flags.port,
  }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  try {
    return await startServer({ config: Object.fromEntries(given), env: system.env });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CommandError({ exitCode: exitCodes.failed, code: "server", message });
  }
}
