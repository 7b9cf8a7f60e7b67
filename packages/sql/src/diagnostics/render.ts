import type { Diagnostic } from "../diagnostic.js";

const lineCharsMax = 120;

/**
 * A finding as people read it: what it is, the line with a caret under its place, the hint.
 * `text` is the script that the finding is about.
 */
export function renderDiagnostic(text: string, diagnostic: Diagnostic): string {
  const { span, message, hint, severity } = diagnostic;
  const lineStart = Math.max(text.lastIndexOf("\n", Math.max(0, span.start - 1)) + 1, 0);
  const newline = text.indexOf("\n", span.start);
  const line = text.slice(lineStart, newline < 0 ? text.length : newline).replace(/\r$/, "");
  // Of a very long line only what stands around the place.
  const column = span.start - lineStart;
  const from =
    line.length <= lineCharsMax
      ? 0
      : Math.max(0, Math.min(column - lineCharsMax / 2, line.length - lineCharsMax));
  const shown = line.slice(from, from + lineCharsMax).replaceAll("\t", " ");
  const label = `${span.line}`;
  const width = Math.max(1, Math.min(span.end, lineStart + line.length) - span.start);
  const marks = "^".repeat(Math.max(1, Math.min(width, shown.length - (column - from))));
  const lines = [
    `${severity}: ${message}`,
    `${label} | ${shown}`,
    `${" ".repeat(label.length)} | ${" ".repeat(column - from)}${marks}`,
  ];
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  return lines.join("\n");
}
