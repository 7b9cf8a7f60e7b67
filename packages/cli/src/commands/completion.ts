import { dirname, join } from "node:path";
import type { Command } from "commander";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import type { CommandContext } from "./context.js";

/** A shell must not freeze on a slow server. */
const deadlineMs = 300;
const cacheAgeMs = 5_000;
const namesMax = 500;

const scripts = {
  bash: `_hstream() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(hstream __complete -- "\${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _hstream hstream
`,
  zsh: `_hstream() {
  local -a found
  found=("\${(@f)$(hstream __complete -- "\${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  [[ -n "$found" ]] && compadd -a found || _files
}
compdef _hstream hstream
`,
  fish: `function __hstream_complete
  set -l words (commandline -opc) (commandline -ct)
  hstream __complete -- $words[2..-1] 2>/dev/null
end
complete -c hstream -f -a '(__hstream_complete)'
`,
} as const;

/** `hstream completion`: the script for a shell. */
export async function printCompletion(
  context: CommandContext,
  shell: keyof typeof scripts,
): Promise<ExitCode> {
  await context.system.stdout.write(scripts[shell]);
  return exitCodes.ok;
}

/** What may stand in the place of the last word, one a line. Never an error: completion has no place for one. */
export async function completeWords(
  context: CommandContext,
  program: Command,
  words: readonly string[],
): Promise<ExitCode> {
  const last = words.at(-1) ?? "";
  const found = await candidates(context, program, words.slice(0, -1), last);
  const fitting = found
    .filter((word) => word.startsWith(last) && !/[\s"'\\$\`]/.test(word))
    .slice(0, namesMax);
  if (fitting.length > 0) await context.system.stdout.write(`${fitting.join("\n")}\n`);
  return exitCodes.ok;
}

async function candidates(
  context: CommandContext,
  program: Command,
  before: readonly string[],
  last: string,
): Promise<readonly string[]> {
  let command = program;
  let place = 0;
  let expectsValue: string | undefined;
  for (const word of before) {
    if (expectsValue !== undefined) {
      expectsValue = undefined;
      continue;
    }
    if (word.startsWith("-")) {
      const option = [...command.options, ...program.options].find(
        (one) => one.long === word || one.short === word,
      );
      if (option?.required === true && !word.includes("=")) expectsValue = option.long;
      continue;
    }
    const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (child === undefined) place += 1;
    else command = child;
  }
  if (expectsValue !== undefined) {
    const option = [...command.options, ...program.options].find((one) => one.long === expectsValue);
    if (expectsValue === "--stream") return names(context, "stream");
    return option?.argChoices ?? [];
  }
  if (last.startsWith("-")) {
    return [...command.options, ...program.options].flatMap((one) =>
      one.hidden || one.long === undefined || one.long === null ? [] : [one.long],
    );
  }
  const visible = command.createHelp().visibleCommands(command);
  if (visible.length > 0) return visible.map((one) => one.name());
  const argument = command.registeredArguments[place];
  if (argument?.argChoices !== undefined) return argument.argChoices;
  const noun = command.parent?.name();
  const named = place === 0 && command.name() !== "create" && command.name() !== "add";
  return named && (noun === "stream" || noun === "subscription" || noun === "view")
    ? names(context, noun)
    : [];
}

type Noun = "stream" | "subscription" | "view";

/** Names that the server knows, asked for once in a while and never waited for long. */
async function names(context: CommandContext, noun: Noun): Promise<readonly string[]> {
  const { system, url } = context;
  const home = system.env["HOME"] ?? ".";
  const directory = join(system.env["XDG_CACHE_HOME"] ?? join(home, ".cache"), "hstream");
  const file = join(directory, "names.json");
  const cached = await readCache(context, file);
  const key = `${url} ${noun}`;
  const known = cached[key];
  if (known !== undefined && system.now() - known.at < cacheAgeMs) return known.names;
  const stop = new AbortController();
  const asked = ask(context, noun).catch(() => undefined);
  const late = system.sleep(deadlineMs, stop.signal).then(() => undefined);
  const found = await Promise.race([asked, late]);
  stop.abort();
  if (found === undefined) return known?.names ?? [];
  try {
    await system.files.makeDirectory(dirname(file));
    await system.files.write(file, JSON.stringify({ ...cached, [key]: { at: system.now(), names: found } }));
  } catch {
    // Without a cache it only takes longer.
  }
  return found;
}

async function ask(context: CommandContext, noun: Noun): Promise<readonly string[]> {
  const { HStreamClient } = await import("@hstream/client");
  const client = await HStreamClient.connect(context.url, {
    requestTimeoutMs: deadlineMs,
    retryPauseMs: deadlineMs,
  });
  try {
    if (noun === "stream") return (await client.streams.list()).slice(0, namesMax).map(({ name }) => name);
    if (noun === "subscription")
      return (await client.subscriptions.list()).slice(0, namesMax).map(({ id }) => id);
    const views: string[] = [];
    for await (const statement of client.sql("SHOW VIEWS;")) {
      for await (const batch of statement.batches()) {
        for (let row = 0; row < batch.rowCount; row += 1) views.push(batch.values(0).text(row));
      }
    }
    return views.slice(0, namesMax);
  } finally {
    await client.close();
  }
}

type Cache = Readonly<Record<string, { readonly at: number; readonly names: readonly string[] }>>;

async function readCache({ system }: CommandContext, file: string): Promise<Cache> {
  try {
    const value: unknown = JSON.parse(await system.files.read(file));
    if (typeof value !== "object" || value === null) return {};
    const entries = Object.entries(value).filter(([, one]: [string, unknown]) => {
      const entry = one as { at?: unknown; names?: unknown } | null;
      return (
        typeof entry?.at === "number" &&
        Array.isArray(entry.names) &&
        entry.names.every((name) => typeof name === "string")
      );
    });
    return Object.fromEntries(entries);
  } catch {
    return {};
  }
}
