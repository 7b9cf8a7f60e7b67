import assert from "node:assert/strict";
import { bindStatement } from "../bind/bind-statement.js";
import type { BoundQuery, BoundStatement } from "../bind/bound-statement.js";
import type { Diagnostic } from "../diagnostic.js";
import { parseScript } from "../parse/parse-script.js";
import type { Expression } from "../plan/expression.js";
import { testCatalog } from "./catalog.js";

/** All findings of a text, from parser and binder. */
export function findingsOf(text: string): readonly Diagnostic[] {
  const { statements, diagnostics } = parseScript(text);
  return [
    ...diagnostics,
    ...statements.flatMap((statement) => bindStatement(statement, testCatalog).diagnostics),
  ];
}

/** The one bound statement of a text that must be right. */
export function bindText(text: string): BoundStatement {
  const { statements, diagnostics } = parseScript(text);
  assert.deepEqual(diagnostics, [], text);
  const [statement] = statements;
  assert(statement !== undefined, text);
  const result = bindStatement(statement, testCatalog, { nowMs: 0 });
  assert(result.bound !== undefined, `${text}: ${result.diagnostics.map((one) => one.message).join("; ")}`);
  return result.bound;
}

export function bindQuery(text: string): BoundQuery {
  const bound = bindText(text);
  assert(bound.kind === "query" || bound.kind === "create-view", text);
  return bound.query;
}

/** The bound expression of SELECT <text>. */
export function bindExpressionText(text: string): Expression {
  const { plan } = bindQuery(`SELECT ${text}`);
  assert(plan.kind === "project");
  const [item] = plan.items;
  assert(item !== undefined);
  return item.expression;
}
