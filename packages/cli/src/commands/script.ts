import { HStreamClientError } from "@hstream/client";
import { loadSplitter } from "../shell/statements.js";

/** Some statements of a script, as many as one request takes. */
export interface ScriptPart {
  readonly text: string;
  /** Of each statement: whether \\G ended it. */
  readonly vertical: readonly boolean[];
  /** Lines of the script before the part. */
  readonly linesBefore: number;
}

/** The server takes 1 MiB of text at a time (sqlTextBytesMax). A UTF-16 unit is three bytes at most. */
const partUnitsMax = Math.floor(1_048_576 / 3);

/**
 * Cuts a script between statements: where a request would be too large, or every one for itself. The lexer
 * is only asked when it has something to say.
 */
export async function cutScript(text: string, single = false): Promise<readonly ScriptPart[]> {
  const script = await withoutShellStatements(text);
  if (script.trim() === "") return [];
  if (!single && script.length <= partUnitsMax && !/\\(G|gx)/.test(script)) {
    return [{ text: script, vertical: [], linesBefore: 0 }];
  }
  const statements = (await loadSplitter())(script);
  const parts: ScriptPart[] = [];
  let start = 0;
  let vertical: boolean[] = [];
  let linesBefore = 0;
  const close = (end: number) => {
    const text = script.slice(start, end);
    if (vertical.length > 0) parts.push({ text, vertical, linesBefore });
    linesBefore += text.split("\n").length - 1;
    start = end;
    vertical = [];
  };
  for (const [index, statement] of statements.entries()) {
    vertical.push(statement.verticalOutput);
    const next = statements[index + 1]?.span;
    if (next !== undefined && (single || next.end - start > partUnitsMax)) close(next.start);
  }
  close(script.length);
  return parts;
}

/** SHOW NODES, which the shell answers, as a statement that the server answers. */
async function withoutShellStatements(script: string): Promise<string> {
  if (!/\bshow\s+nodes\b/i.test(script)) return script;
  let out = "";
  let done = 0;
  for (const { text, span } of (await loadSplitter())(script)) {
    if (!/^show\s+nodes$/i.test(text.trim())) continue;
    out += `${script.slice(done, span.start)}SELECT * FROM nodes`;
    done = span.end;
  }
  return out + script.slice(done);
}

/** The error of a part, with the lines of the whole script. */
export function shiftError(error: unknown, { linesBefore }: ScriptPart): unknown {
  if (!(error instanceof HStreamClientError) || linesBefore === 0) return error;
  const { reason, message, code, grpcStatus, hint, extra, cause } = error;
  return new HStreamClientError({
    reason,
    message,
    extra,
    cause,
    diagnostics: error.diagnostics.map((one) => ({ ...one, line: one.line + linesBefore })),
    ...(code === undefined ? {} : { code }),
    ...(grpcStatus === undefined ? {} : { grpcStatus }),
    ...(hint === undefined ? {} : { hint }),
  });
}
