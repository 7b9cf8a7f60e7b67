import { parseConfigFile } from "./config-file.js";
import { nearest } from "./nearest.js";
import { type Config, environmentName, type Setting, type SettingName, settings } from "./settings.js";

/** Where settings come from, the strongest first. Keys are those of the settings table. */
export interface ConfigSources {
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The process's environment; only HSTREAM_… counts. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The chosen context of the command line. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly fileText?: string;
  readonly fileName?: string;
}

export interface ConfigError {
  /** "flag", "environment", "context", or the file with its line. */
  readonly where: string;
  readonly message: string;
}

export type ResolvedConfig =
  | { readonly kind: "config"; readonly config: Config }
  | { readonly kind: "errors"; readonly errors: readonly ConfigError[] };

interface Candidate {
  readonly where: string;
  /** What the user wrote. */
  readonly name: string;
  readonly value: unknown;
}

const byKey = new Map<string, SettingName>(
  (Object.keys(settings) as SettingName[]).map((name) => [settings[name].key, name]),
);

/** Puts the configuration together, or says everything that is wrong with it. */
export function resolveConfig(sources: ConfigSources): ResolvedConfig {
  const errors: ConfigError[] = [];
  const found = new Map<SettingName, Candidate>();
  // From the weakest to the strongest, so that each replaces the one before.
  const fromKeys = (entries: Iterable<Candidate>) => {
    for (const candidate of entries) {
      const name = byKey.get(candidate.name);
      if (name === undefined) errors.push(unknown(candidate.where, candidate.name, [...byKey.keys()]));
      else if (candidate.value !== undefined) check(name, candidate);
    }
  };
  const check = (name: SettingName, candidate: Candidate) => {
    const setting: Setting<unknown> = settings[name];
    const value = typeof candidate.value === "string" ? setting.fromText(candidate.value) : candidate.value;
    if (setting.schema.safeParse(value).success) found.set(name, { ...candidate, value });
    else errors.push(unfit(candidate, setting));
  };
  fromKeys(fileCandidates(sources, errors));
  fromKeys(candidates("context", sources.context));
  for (const [variable, value] of Object.entries(sources.environment ?? {})) {
    if (!variable.startsWith("HSTREAM_") || value === undefined) continue;
    const key = [...byKey.keys()].find((known) => environmentName(known) === variable);
    const name = key === undefined ? undefined : byKey.get(key);
    const names = [...byKey.keys()].map(environmentName);
    if (name !== undefined) check(name, { where: "environment", name: variable, value });
    // Other programs of ours have variables of their own; only a slip of the pen is an error.
    else if (nearest(variable, names) !== undefined) errors.push(unknown("environment", variable, names));
  }
  fromKeys(candidates("flag", sources.flags));
  if (errors.length > 0) return { kind: "errors", errors };
  const config = Object.fromEntries(
    (Object.keys(settings) as SettingName[]).map((name) => [
      name,
      found.has(name) ? found.get(name)?.value : settings[name].default,
    ]),
  );
  return { kind: "config", config: config as Config };
}

function candidates(where: string, values: Readonly<Record<string, unknown>> = {}): Candidate[] {
  return Object.entries(values).map(([name, value]) => ({ where, name, value }));
}

function fileCandidates(
  { fileText, fileName = "configuration" }: ConfigSources,
  errors: ConfigError[],
): Candidate[] {
  if (fileText === undefined) return [];
  const parsed = parseConfigFile(fileText);
  const at = (line: number) => `${fileName}, line ${line}`;
  if (parsed.kind === "invalid") {
    errors.push(...parsed.problems.map(({ line, message }) => ({ where: at(line), message })));
    return [];
  }
  return parsed.entries.map(({ key, value, line }) => ({ where: at(line), name: key, value }));
}

function unknown(where: string, name: string, known: readonly string[]): ConfigError {
  const like = nearest(name, known);
  const hint = like === undefined ? `Known are: ${known.join(", ")}.` : `Did you mean ${like}?`;
  return { where, message: `${name} is not a setting. ${hint}` };
}

function unfit({ where, name, value }: Candidate, setting: Setting<unknown>): ConfigError {
  return { where, message: `${name} is ${JSON.stringify(value)}; it must be ${setting.expected}.` };
}
