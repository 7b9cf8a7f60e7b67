import { parseTimestamp } from "../values/calendar.js";
import type { ExpressionNode, OptionNode } from "../ast/ast.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import type { SqlValue } from "../types/sql-value.js";
import { intervalMs } from "../values/calendar.js";
import type { Findings } from "./findings.js";

/** The options of CREATE STREAM … WITH; what is not given is left out. */
export interface StreamOptions {
  replicationFactor?: number;
  retentionSeconds?: number;
  shardCount?: number;
  timestampColumn?: string;
  latenessMs?: number;
  deletions?: boolean;
}

const optionNames = ["REPLICATE", "DURATION", "SHARDS", "TIMESTAMP", "LATENESS", "DELETIONS"];

/** Of an option given several times the first wins. */
export function bindStreamOptions(options: readonly OptionNode[], findings: Findings): StreamOptions {
  const bound: StreamOptions = {};
  for (const { name, value } of options) {
    switch (name.text.toUpperCase()) {
      case "REPLICATE":
        bound.replicationFactor ??= positive(value, findings);
        break;
      case "SHARDS":
        bound.shardCount ??= positive(value, findings);
        break;
      case "DURATION":
        bound.retentionSeconds ??= Math.ceil(lengthMs(value, findings) / 1000);
        break;
      case "LATENESS":
        bound.latenessMs ??= lengthMs(value, findings);
        break;
      case "TIMESTAMP":
        bound.timestampColumn ??= columnName(value, findings);
        break;
      case "DELETIONS":
        bound.deletions ??= yesOrNo(value, findings);
        break;
      default: {
        const near = nearestName(name.text, optionNames);
        const hint = near === undefined ? `options are ${optionNames.join(", ")}` : `did you mean ${near}?`;
        findings.error(name.span, `There is no option ${name.text}`, hint);
      }
    }
  }
  return bound;
}

/** Where a query starts: START = EARLIEST, LATEST or a TIMESTAMP. */
export function bindStart(
  options: readonly OptionNode[],
  findings: Findings,
): { readonly start?: "earliest" | "latest"; readonly startAtMs?: number } {
  const option = options.find(({ name }) => name.text.toUpperCase() === "START");
  if (option === undefined) return {};
  const { value } = option;
  const [name] = value.kind === "name" ? value.parts : [];
  const literal = literalOf(value);
  const word = (name?.text ?? (typeof literal === "string" ? literal : "")).toUpperCase();
  if (word === "EARLIEST") return { start: "earliest" };
  if (word === "LATEST") return { start: "latest" };
  if (typeof literal === "object" && literal !== null && "kind" in literal && literal.kind === "timestamp") {
    return { start: "earliest", startAtMs: literal.ms };
  }
  const at = typeof literal === "string" ? parseTimestamp(literal) : null;
  if (at !== null) return { start: "earliest", startAtMs: at.ms };
  findings.error(
    value.span,
    "START takes EARLIEST, LATEST or a TIMESTAMP",
    "START = TIMESTAMP '2024-01-31T12:00:00Z'",
  );
  return {};
}

/** The options of a connector, which only it understands: literals by name. */
export function bindConnectorOptions(
  options: readonly OptionNode[],
  findings: Findings,
): ReadonlyMap<string, SqlValue> {
  const bound = new Map<string, SqlValue>();
  for (const { name, value } of options) {
    const [word] = value.kind === "name" && value.parts.length === 1 ? value.parts : [];
    if (word !== undefined) bound.set(name.text, word.text);
    else if (value.kind === "literal") bound.set(name.text, value.value);
    else findings.error(value.span, "An option of a connector is a literal");
  }
  return bound;
}

function literalOf(node: ExpressionNode): SqlValue {
  return node.kind === "literal" ? node.value : null;
}

function positive(node: ExpressionNode, findings: Findings): number {
  const value = literalOf(node);
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0 && value <= 0x7fffffff)
    return value;
  findings.error(node.span, "This option takes a whole number above 0");
  return 1;
}

function lengthMs(node: ExpressionNode, findings: Findings): number {
  const value = literalOf(node);
  if (typeof value === "object" && value !== null && "kind" in value && value.kind === "interval") {
    const ms = intervalMs(value);
    if (ms >= 0) return ms;
  }
  findings.error(node.span, "This option takes a length of time", "write it as INTERVAL 7 DAY");
  return 0;
}

function yesOrNo(node: ExpressionNode, findings: Findings): boolean {
  const value = literalOf(node);
  if (typeof value === "boolean") return value;
  findings.error(node.span, "This option takes TRUE or FALSE");
  return false;
}

function columnName(node: ExpressionNode, findings: Findings): string {
  const [name] = node.kind === "name" && node.parts.length === 1 ? node.parts : [];
  if (name !== undefined) return name.text;
  const value = literalOf(node);
  if (typeof value === "string") return value;
  findings.error(node.span, "TIMESTAMP takes the name of a column");
  return "";
}
