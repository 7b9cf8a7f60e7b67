import { type ClassifiedToken, classifyTokens, type TokenClass } from "@hstream/sql/tokens";
import { painted, type Painter, plainPainter } from "./painter.js";

/** Longer texts stay plain: colours must not make typing slow. */
const colouredUnitsMax = 20_000;

/** SGR parameters; chosen to be readable on dark and on light. */
const styles: Readonly<Record<TokenClass, string | undefined>> = {
  keyword: "1;36",
  function: "33",
  name: undefined,
  text: "32",
  number: "35",
  operator: undefined,
  punctuation: undefined,
  comment: "2",
  error: "31",
};

/** SQL in colours, with the bracket at the cursor and its partner underlined. */
export function sqlPainter(text: string, cursor: number): Painter {
  if (text.length > colouredUnitsMax) return plainPainter(text);
  const tokens = classifyTokens(text);
  const brackets = bracketPair(text, tokens, cursor);
  const runs: { readonly start: number; readonly end: number; readonly style: string }[] = [];
  for (const token of tokens) {
    const { start, end } = token.span;
    const bracket = brackets.includes(start) && end === start + 1;
    const style = bracket ? "1;4" : styles[token.class];
    if (style !== undefined) runs.push({ start, end, style });
  }
  return (from, to) => {
    let out = "";
    let at = from;
    for (const run of runs) {
      if (run.end <= at) continue;
      if (run.start >= to) break;
      const start = Math.max(at, run.start);
      const end = Math.min(to, run.end);
      out += text.slice(at, start) + painted(run.style, text.slice(start, end));
      at = end;
    }
    return out + text.slice(at, to);
  };
}

const partners: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Where the bracket before or at the cursor and its partner stand; empty when there is no pair. */
export function bracketPair(
  text: string,
  tokens: readonly ClassifiedToken[],
  cursor: number,
): readonly number[] {
  const open: { readonly at: number; readonly closes: string }[] = [];
  for (const { class: kind, span } of tokens) {
    if (kind !== "punctuation" || span.end !== span.start + 1) continue;
    const sign = text[span.start] ?? "";
    const closes = partners[sign];
    if (closes !== undefined) open.push({ at: span.start, closes });
    else if (open.at(-1)?.closes === sign) {
      const start = open.pop()?.at ?? 0;
      const pair = [start, span.start];
      if (pair.some((at) => at === cursor || at === cursor - 1)) return pair;
    }
  }
  return [];
}
