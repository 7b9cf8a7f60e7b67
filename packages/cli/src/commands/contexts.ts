import { dirname, join } from "node:path";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import { nearest } from "../nearest.js";
import type { System } from "../system/system.js";
import { type CommandContext, printList, report } from "./context.js";

/** Names for servers, and the one in use. */
interface Contexts {
  readonly current: string | undefined;
  readonly previous: string | undefined;
  readonly urls: Readonly<Record<string, string>>;
}

const contextsMax = 1_000;

/** Where the contexts are kept: one JSON object. */
export function contextsFile({ env }: System): string {
  const home = env["HOME"] ?? env["USERPROFILE"] ?? ".";
  return join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "hstream", "contexts.json");
}

/** The URL of the named context, or of the one in use; undefined when there is none in use. */
export async function contextUrl(system: System, name: string | undefined): Promise<string | undefined> {
  const contexts = await read(system);
  const wanted = name ?? contexts.current;
  if (wanted === undefined) return undefined;
  const url = urlOf(contexts, wanted);
  if (url === undefined) throw unknown(contexts, wanted);
  return url;
}

export async function addContext(context: CommandContext, name: string, url: string): Promise<ExitCode> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw usage(`"${name}" cannot be a name: letters, digits, ".", "_" and "-", at most 64.`);
  }
  const { parseServiceUrl } = await import("@hstream/client");
  parseServiceUrl(url);
  const contexts = await read(context.system);
  const urls = { ...contexts.urls, [name]: url };
  if (Object.keys(urls).length > contextsMax) throw usage(`There are ${contextsMax} contexts already.`);
  await write(context.system, { ...contexts, urls, current: contexts.current ?? name });
  const used = contexts.current === undefined || contexts.current === name;
  await report(context, `Context "${name}" is ${url}${used ? ", and is used" : ""}.`, {
    context: name,
    url,
    used,
  });
  return exitCodes.ok;
}

export async function useContext(context: CommandContext, name: string): Promise<ExitCode> {
  const contexts = await read(context.system);
  const wanted = name === "-" ? contexts.previous : name;
  if (wanted === undefined) throw usage("There is no context before this one.");
  const url = urlOf(contexts, wanted);
  if (url === undefined) throw unknown(contexts, wanted);
  await write(context.system, { ...contexts, current: wanted, previous: contexts.current });
  await report(context, `Context "${wanted}": ${url}.`, { context: wanted, url, used: true });
  return exitCodes.ok;
}

export async function listContexts(context: CommandContext): Promise<ExitCode> {
  const { urls, current } = await read(context.system);
  const rows = Object.entries(urls).map(([name, url]) => [name, url, name === current]);
  await printList(context, ["name", "url", "used"], rows);
  return exitCodes.ok;
}

export async function removeContext(
  context: CommandContext,
  name: string,
  flags: { readonly ifExists?: boolean },
): Promise<ExitCode> {
  const contexts = await read(context.system);
  const exists = urlOf(contexts, name) !== undefined;
  if (!exists && flags.ifExists !== true) throw unknown(contexts, name);
  const urls = Object.fromEntries(Object.entries(contexts.urls).filter(([other]) => other !== name));
  const current = contexts.current === name ? undefined : contexts.current;
  const previous = contexts.previous === name ? undefined : contexts.previous;
  if (exists) await write(context.system, { urls, current, previous });
  const sentence = exists ? `Removed context "${name}".` : `There is no context "${name}".`;
  await report(context, sentence, { context: name, removed: exists });
  return exitCodes.ok;
}

function urlOf({ urls }: Contexts, name: string): string | undefined {
  return Object.hasOwn(urls, name) ? urls[name] : undefined;
}

async function read(system: System): Promise<Contexts> {
  const file = contextsFile(system);
  let text: string;
  try {
    text = await system.files.read(file);
  } catch {
    return { current: undefined, previous: undefined, urls: {} };
  }
  const contexts = parse(text);
  if (contexts === undefined) {
    throw usage(`${file} is not what "hstream context" writes. Mend it or delete it.`, "config");
  }
  return contexts;
}

function parse(text: string): Contexts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { current, previous, urls } = value as Record<string, unknown>;
  if (typeof urls !== "object" || urls === null || Array.isArray(urls)) return undefined;
  const entries = Object.entries(urls);
  if (entries.some(([, url]) => typeof url !== "string")) return undefined;
  return {
    current: typeof current === "string" ? current : undefined,
    previous: typeof previous === "string" ? previous : undefined,
    urls: Object.fromEntries(entries),
  };
}

async function write(system: System, contexts: Contexts): Promise<void> {
  const file = contextsFile(system);
  try {
    await system.files.makeDirectory(dirname(file));
    await system.files.write(file, `${JSON.stringify(contexts, undefined, 2)}\n`);
  } catch (error) {
    throw new CommandError({
      exitCode: exitCodes.failed,
      code: "file",
      message: `Cannot write ${file}: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

function unknown({ urls }: Contexts, name: string): CommandError {
  const near = nearest(name, Object.keys(urls));
  return new CommandError({
    exitCode: exitCodes.existence,
    code: "not found",
    message: `There is no context "${name}".`,
    hint: near === undefined ? "hstream context list shows them." : `did you mean ${near}?`,
  });
}

function usage(message: string, code = "usage"): CommandError {
  return new CommandError({ exitCode: exitCodes.usage, code, message });
}
