import type { FunctionEntry } from "@hstream/sql/runtime";
import { isReserved } from "@hstream/sql/tokens";
import { commandNames } from "../shell-command.js";
import { type CursorContext, cursorContext } from "./cursor-context.js";
import type { KnownNames } from "./catalogue.js";
import type { Candidate, Completion } from "./completion.js";

/** Files below a path that is being typed; undefined while they are being looked up. */
export type FileNames = (typed: string) => readonly string[];

export interface CompletionSources extends KnownNames {
  readonly files: FileNames;
  readonly savedQueries: readonly string[];
}

export const candidatesMax = 200;

const streamOptions: readonly (readonly [string, string])[] = [
  ["SHARDS", "how many shards: SHARDS = 2"],
  ["DURATION", "how long records are kept: DURATION = INTERVAL 7 DAY"],
  ["REPLICATE", "copies of each record: REPLICATE = 1"],
];
const typeNames = [
  "INTEGER",
  "FLOAT",
  "DECIMAL",
  "BOOLEAN",
  "STRING",
  "BYTEA",
  "DATE",
  "TIME",
  "TIMESTAMP",
  "INTERVAL",
  "JSONB",
];

/** What may stand at the cursor, the best first. Takes what is known already and never waits. */
export function complete(text: string, cursor: number, sources: CompletionSources): Completion {
  const sql = sqlOfCommand(text);
  const command = sql === undefined || sql > cursor ? completeCommand(text, cursor, sources) : undefined;
  if (command !== undefined) return command;
  const context = cursorContext(sql === undefined ? text : " ".repeat(sql) + text.slice(sql), cursor);
  if (context === undefined) return { start: cursor, candidates: [] };
  return { start: context.start, candidates: ranked(context.word, candidatesOf(context, sources)) };
}

function candidatesOf(context: CursorContext, sources: CompletionSources): readonly Candidate[] {
  const out: Candidate[] = [];
  const { relations: wanted, word } = context;
  // Asked for as soon as FROM names them, they are there when the cursor comes to a column.
  for (const { all } of context.uses) for (const name of all) sources.columns(name);
  for (const alias of context.aliases)
    out.push({ text: quoted(alias), kind: "column", detail: "of the result" });
  for (const { columns, all, alias } of context.columnsOf) {
    for (const name of columns)
      out.push({ text: quoted(name), kind: "column", detail: `column of ${alias}` });
    for (const column of all.flatMap((name) => sources.columns(name))) {
      const detail = `${column.type ?? "field"} of ${alias}`;
      out.push({ text: quoted(column.name), kind: "column", detail });
    }
  }
  for (const name of context.commonTables) {
    out.push({ text: quotedRelation(name), kind: "view", detail: "of WITH" });
  }
  if (wanted !== undefined) {
    for (const { name, kind } of sources.relations) {
      if (wanted === "any" || wanted === kind) out.push({ text: quotedRelation(name), kind, detail: kind });
    }
  }
  if (context.options) {
    for (const [name, detail] of streamOptions) out.push({ text: `${name} = `, kind: "option", detail });
  }
  if (context.types) for (const name of typeNames) out.push({ text: name, kind: "type", detail: "type" });
  if (context.functions) out.push(...sources.functions.flatMap(functionCandidate));
  const lower = word !== "" && word === word.toLowerCase();
  for (const keyword of context.keywords) {
    out.push({ text: lower ? keyword.toLowerCase() : keyword, kind: "keyword", detail: "" });
  }
  return out;
}

function functionCandidate(entry: FunctionEntry): readonly Candidate[] {
  if (entry.kind === "form" || (entry.kind === "scalar" && entry.operator === true)) return [];
  const parameters = entry.kind === "scalar" ? (entry.signatures[0]?.parameters ?? []) : entry.parameters;
  const detail = `(${parameters.join(", ")})  ${entry.help}`;
  return [{ text: `${entry.name}(`, kind: "function", detail }];
}

/** Prefixes first, then words within a name, then letters in order. */
function ranked(word: string, candidates: readonly Candidate[]): readonly Candidate[] {
  const wanted = word.replace(/^["`]/, "").toLowerCase();
  const rows: { readonly candidate: Candidate; readonly rank: number }[] = [];
  const seen = new Set<string>();
  for (const candidate of candidates) {
    const rank = rankOf(wanted, candidate.text.replace(/^"/, "").toLowerCase());
    if (rank === undefined || candidate.text === word || seen.has(candidate.text)) continue;
    // Functions are many: without a letter typed they would bury the columns.
    if (wanted === "" && candidate.kind === "function") continue;
    seen.add(candidate.text);
    rows.push({ candidate, rank });
  }
  const best = rows.some(({ rank }) => rank === 0) ? 0 : 2;
  return rows
    .filter(({ rank }) => rank <= best)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, candidatesMax)
    .map(({ candidate }) => candidate);
}

function rankOf(wanted: string, name: string): number | undefined {
  if (name.startsWith(wanted)) return 0;
  if (wanted.length < 2) return undefined;
  if (name.includes(wanted)) return 1;
  let at = -1;
  for (const letter of wanted) {
    at = name.indexOf(letter, at + 1);
    if (at < 0) return undefined;
  }
  return 2;
}

/** Where the statement behind a command (:plan, :watch 2s, :chart bar) begins. */
function sqlOfCommand(text: string): number | undefined {
  const match = /^(\s*[:\\]\S+\s[^]*?)\bselect\b/i.exec(text);
  return match?.[1]?.length;
}

function completeCommand(text: string, cursor: number, sources: CompletionSources): Completion | undefined {
  const typed = text.slice(0, cursor);
  const name = /^\s*[:\\](\S*)$/.exec(typed);
  if (name !== null) {
    const start = cursor - (name[1]?.length ?? 0);
    const candidates = commandNames
      .filter((command) => command.name.startsWith(name[1] ?? ""))
      .map((command) => ({ text: command.name, kind: "command" as const, detail: command.help }));
    return { start, candidates };
  }
  const argument = /^\s*[:\\](\S+)\s+(?:.*\s)?(\S*)$/.exec(typed);
  if (argument === null) return undefined;
  const word = argument[2] ?? "";
  const takes = commandNames.find((command) => command.name === argument[1])?.takes;
  const start = cursor - word.length;
  switch (takes?.kind) {
    case undefined:
      return { start, candidates: [] };
    case "sql":
      return undefined;
    case "words":
      return {
        start,
        candidates: ranked(
          word,
          takes.words.map((text) => ({ text, kind: "option", detail: "" })),
        ),
      };
    case "relation":
      return { start, candidates: ranked(word, relationCandidates(sources)) };
    case "file": {
      const files = sources.files(word);
      return {
        start,
        candidates: ranked(
          word,
          files.map((text) => ({ text, kind: "file", detail: "" })),
        ),
      };
    }
    case "saved":
      return {
        start,
        candidates: ranked(
          word,
          sources.savedQueries.map((text) => ({ text, kind: "file", detail: "" })),
        ),
      };
    case "topic":
      return {
        start,
        candidates: ranked(word, [
          ...sources.functions.map((entry) => ({
            text: entry.name,
            kind: "function" as const,
            detail: entry.help,
          })),
          ...takes.words.map((text) => ({ text, kind: "keyword" as const, detail: "statement" })),
        ]),
      };
  }
}

function relationCandidates(sources: CompletionSources): readonly Candidate[] {
  return sources.relations.map(({ name, kind }) => ({ text: name, kind, detail: kind }));
}

/** A name as SQL takes it. */
function quoted(name: string): string {
  const plain = /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) && !isReserved(name);
  return plain ? name : `"${name.replaceAll('"', '""')}"`;
}

function quotedRelation(name: string): string {
  const plain = /^[\p{L}_][\p{L}\p{N}_]*(-[\p{L}\p{N}_]+)*$/u.test(name);
  return plain && !isReserved(name) ? name : quoted(name);
}
