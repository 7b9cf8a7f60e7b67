import { assert } from "@hstream/proto";
import type { ExpressionNode, NameNode, StatementNode } from "../ast/ast.js";
import type { Relation } from "../catalog/catalog.js";
import type { Span } from "../diagnostic.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import { textOfName } from "../parse/literals.js";
import { printName } from "../print/print-expression.js";
import { isVolatile } from "../plan/rewrite.js";
import { evaluate } from "../runtime/evaluate.js";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
import { typeName } from "../types/types.js";
import { cast } from "../values/cast.js";
import { parseJson } from "../values/json.js";
import { isObject } from "../values/value-kind.js";
import { bindExpression, bindType } from "./bind-expression.js";
import type { InsertRow } from "./bound-statement.js";
import type { Findings } from "./findings.js";

type InsertNode = Extract<StatementNode, { kind: "insert" }>;

/** The records of an INSERT, computed and cast to the declared types. */
export function bindInsertRows(
  node: InsertNode,
  stream: Relation,
  findings: Findings,
  nowMs: number | undefined,
): readonly InsertRow[] {
  const { source } = node;
  assert(source.kind !== "query", "INSERT INTO … SELECT is bound as a query");
  if (source.kind === "payload") {
    if (node.columns !== undefined) {
      findings.error(
        source.value.span,
        "A list of columns needs values in parentheses",
        "VALUES (1, 'a'), (2, 'b')",
      );
      return [];
    }
    const row = bindPayload(source.value, stream, findings);
    return row === undefined ? [] : [row];
  }
  const columns = targetColumns(node, stream, findings);
  if (columns === undefined) return [];
  return source.rows.map((values): InsertRow => {
    const [first] = values;
    if (values.length !== columns.length && first !== undefined) {
      findings.error(
        first.span,
        `Columns: ${columns.length}, but values: ${values.length}`,
        "each row needs a value for each column",
      );
    }
    const fields = new Map<string, SqlValue>();
    for (const [i, value] of values.entries()) {
      const column = columns[i];
      if (column === undefined) break;
      const constant = constantValue(value, findings, nowMs);
      fields.set(column, castField(column, constant, stream, value.span, findings));
    }
    return { kind: "object", fields };
  });
}

function targetColumns(
  node: InsertNode,
  stream: Relation,
  findings: Findings,
): readonly string[] | undefined {
  if (node.columns === undefined) {
    if (stream.columns.length > 0) return stream.columns.map((column) => column.name);
    findings.error(
      node.relation.span,
      `${stream.name} has no declared columns, so the values need names`,
      `INSERT INTO ${stream.name} (a, b) VALUES (…), or VALUES '{"a": 1}'`,
    );
    return undefined;
  }
  const seen = new Set<string>();
  for (const name of node.columns) {
    if (seen.has(name.text)) findings.error(name.span, `The column ${printName(name)} is named twice`);
    seen.add(name.text);
    checkColumn(name, stream, findings);
  }
  return node.columns.map((column) => column.text);
}

function checkColumn(name: NameNode, stream: Relation, findings: Findings): void {
  if (stream.open || stream.columns.some((column) => column.name === name.text)) return;
  const near = nearestName(
    name.text,
    stream.columns.map((column) => column.name),
  );
  findings.error(
    name.span,
    `${stream.name} has no column ${printName(name)}`,
    near === undefined ? undefined : `did you mean ${near}?`,
  );
}

function constantValue(node: ExpressionNode, findings: Findings, nowMs: number | undefined): SqlValue {
  const constantsOnly = "INSERT takes values, not columns";
  const expression = bindExpression(node, { findings, scope: undefined, clause: "INSERT", constantsOnly });
  if (findings.failed) return null;
  if (isVolatile(expression) && nowMs === undefined) {
    findings.error(node.span, "The clock is not known here");
    return null;
  }
  return evaluate(expression, [], {
    nowMs: nowMs ?? 0,
    error: (message) => {
      findings.error(node.span, `This value cannot be computed: ${message}`);
      return null;
    },
  });
}

function castField(
  column: string,
  value: SqlValue,
  stream: Relation,
  span: Span,
  findings: Findings,
): SqlValue {
  const declared = stream.columns.find((one) => one.name === column);
  if (declared === undefined) return value;
  return cast(value, declared.type, {
    error: (message) => {
      findings.error(span, `Column ${column} is ${typeName(declared.type)}: ${message}`);
      return null;
    },
  });
}

/** VALUES '…' is JSON, '…'::JSONB too; "…" and '…'::BYTEA are bytes. */
function bindPayload(node: ExpressionNode, stream: Relation, findings: Findings): InsertRow | undefined {
  if (node.kind === "literal" && typeof node.value === "string")
    return json(node.value, node, stream, findings);
  const [name] = node.kind === "name" ? node.parts : [];
  if (node.kind === "name" && node.parts.length === 1 && name?.quotes === "double")
    return raw(textOfName(name));
  if (node.kind === "cast" && node.operand.kind === "literal" && typeof node.operand.value === "string") {
    const type = bindType(node.type, findings);
    if (type.kind === "jsonb") return json(node.operand.value, node.operand, stream, findings);
    if (type.kind === "bytea") return raw(node.operand.value);
  }
  findings.error(
    node.span,
    "VALUES needs rows in parentheses or one text",
    `VALUES (1, 'a') or VALUES '{"a": 1}'`,
  );
  return undefined;
}

function raw(text: string): InsertRow {
  return { kind: "raw", bytes: new Uint8Array(Buffer.from(text, "utf8")) };
}

function json(
  text: string,
  node: ExpressionNode,
  stream: Relation,
  findings: Findings,
): InsertRow | undefined {
  const parsed = parseJson(text);
  if (parsed.kind === "invalid") {
    const at = text.slice(parsed.offset, parsed.offset + 20);
    findings.error(node.span, `Invalid JSON: ${parsed.message}${at === "" ? " at its end" : ` at ${at}`}`);
    return undefined;
  }
  if (!isObject(parsed.value)) {
    findings.error(node.span, "A record must be a JSON object", `VALUES '{"a": 1}'`);
    return undefined;
  }
  return { kind: "object", fields: castDeclared(parsed.value, stream, node.span, findings) };
}

function castDeclared(fields: SqlObject, stream: Relation, span: Span, findings: Findings): SqlObject {
  const cast = new Map<string, SqlValue>();
  for (const [name, value] of fields) cast.set(name, castField(name, value, stream, span, findings));
  return cast;
}
