import type { RunningServer } from "@hstream/server";
import { exitCodes } from "./exit-codes.js";
import { CommandError } from "./failure.js";
import type { System } from "./system/system.js";

export interface EmbeddedServerFlags {
  readonly dataDir?: string | undefined;
  /** A file of settings. */
  readonly config?: string | undefined;
  readonly host?: string | undefined;
  /** "0" for any free one. */
  readonly port?: string | undefined;
  /** Of REST and metrics; "0" for none. */
  readonly httpPort?: string | undefined;
  /** `name=value` of other settings. */
  readonly settings?: readonly string[];
  /** Variables of the environment that mean flags of these tools, unless they are settings, too. */
  readonly variables?: ReadonlySet<string>;
  /** Where the server's messages go, instead of stderr. */
  readonly logFile?: string;
}

/** Starts a server within this process. Flags are stronger than the environment, that than the file. */
export async function startEmbeddedServer(
  system: System,
  flags: EmbeddedServerFlags,
): Promise<RunningServer> {
  const server = await import("@hstream/server");
  const { createNodeEnv, createServerLog, createTextLog, resolveConfig, startServer } = server;
  const known = new Set(Object.values(server.settings).map(({ key }) => server.environmentName(key)));
  const isOurs = (name: string) => !known.has(name) && flags.variables?.has(name) === true;
  const resolved = resolveConfig({
    flags: flagsOf(flags),
    environment: Object.fromEntries(Object.entries(system.env).filter(([name]) => !isOurs(name))),
    ...(flags.config === undefined ? {} : await readConfig(system, flags.config)),
  });
  if (resolved.kind === "errors") {
    const message = resolved.errors.map(({ where, message }) => `${where}: ${message}`).join("\n");
    throw new CommandError({ exitCode: exitCodes.usage, code: "config", message });
  }
  const { config } = resolved;
  const { logFile } = flags;
  const { logFormat, logLevel } = config;
  const destination = {
    write: (line: string) => {
      if (logFile === undefined) void system.stderr.write(line);
      else void system.files.append(logFile, line).catch(() => {});
    },
  };
  const version = await system.version();
  const asText =
    logFormat === "text" || (logFormat === "auto" && logFile === undefined && system.stderr.isTty);
  const report = asText
    ? createTextLog(logLevel, destination)
    : createServerLog(logLevel, destination, version);
  try {
    return await startServer({ config, env: createNodeEnv(), version, report });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CommandError({ exitCode: exitCodes.failed, code: "server", message });
  }
}

function flagsOf(flags: EmbeddedServerFlags): Readonly<Record<string, string>> {
  const given: Record<string, string> = {};
  for (const setting of flags.settings ?? []) {
    const [name = "", ...value] = setting.split("=");
    given[name] = value.join("=");
  }
  const own = {
    "data-dir": flags.dataDir,
    host: flags.host,
    port: flags.port,
    "http-port": flags.httpPort,
  };
  for (const [name, value] of Object.entries(own)) if (value !== undefined) given[name] = value;
  return given;
}

async function readConfig(system: System, path: string) {
  try {
    return { fileText: await system.files.read(path), fileName: path };
  } catch (error) {
    const message = `Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`;
    throw new CommandError({ exitCode: exitCodes.usage, code: "config", message });
  }
}
