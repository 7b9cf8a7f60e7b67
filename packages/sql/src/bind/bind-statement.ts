import { unreachable } from "@hstream/proto";
import type { NameNode, StatementNode } from "../ast/ast.js";
import type { Catalog, CatalogColumn } from "../catalog/catalog.js";
import type { Diagnostic } from "../diagnostic.js";
import { nameCharsMax } from "../limits.js";
import { printName } from "../print/print-expression.js";
import { bindType } from "./bind-expression.js";
import { bindInsertRows } from "./bind-insert.js";
import { bindStreamOptions } from "./bind-options.js";
import { bindSelect, findRelation } from "./bind-select.js";
import type { BoundStatement } from "./bound-statement.js";
import { Findings } from "./findings.js";

export interface BindOptions {
  /** The clock, for NOW() in INSERT. Milliseconds since 1970. */
  readonly nowMs?: number;
}

export interface BoundResult {
  /** Undefined when a diagnostic is an error. */
  readonly bound?: BoundStatement;
  /** Notices too. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Gives a statement its meaning against the catalog. Never throws at what a user wrote. */
export function bindStatement(
  statement: StatementNode,
  catalog: Catalog,
  options: BindOptions = {},
): BoundResult {
  const findings = new Findings();
  const bound = bind(statement, catalog, findings, options);
  const { diagnostics, failed } = findings;
  return bound === undefined || failed ? { diagnostics } : { bound, diagnostics };
}

function bind(
  statement: StatementNode,
  catalog: Catalog,
  findings: Findings,
  options: BindOptions,
): BoundStatement | undefined {
  switch (statement.kind) {
    case "query":
      return { kind: "query", query: bindSelect(statement.select, catalog, findings, "query") };
    case "create-stream":
      return bindCreateStream(statement, findings);
    case "create-view": {
      checkResourceName(statement.name, findings);
      const { ifNotExists, name } = statement;
      if (statement.query.from === undefined) findings.error(statement.query.span, "A view needs a FROM");
      const query = bindSelect(statement.query, catalog, findings, "view");
      if (query.sources.some((source) => source.kind === "table")) {
        findings.error(
          statement.query.from?.span ?? statement.query.span,
          "A view cannot read a system table",
        );
      }
      return { kind: "create-view", name: name.text, ifNotExists, query };
    }
    case "insert": {
      const relation = findRelation(statement.relation.text, statement.relation.span, catalog, findings);
      if (relation === undefined) return undefined;
      if (relation.kind !== "stream") {
        const what = relation.kind === "view" ? "a view" : "a system table";
        findings.error(statement.relation.span, `${relation.name} is ${what}; records go into streams`);
        return undefined;
      }
      return {
        kind: "insert",
        stream: relation,
        rows: bindInsertRows(statement, relation, findings, options.nowMs),
      };
    }
    case "show":
      return { kind: "show", target: statement.target };
    case "describe": {
      const relation = findRelation(statement.name.text, statement.name.span, catalog, findings);
      return relation === undefined ? undefined : { kind: "describe", relation };
    }
    case "drop":
      return {
        kind: "drop",
        target: statement.target,
        name: statement.name.text,
        ifExists: statement.ifExists,
      };
    case "terminate":
      return { kind: "terminate", query: statement.query.text };
    case "explain": {
      const inner = bind(statement.statement, catalog, findings, options);
      if (inner === undefined) return undefined;
      if (inner.kind === "query" || inner.kind === "create-view") {
        return { kind: "explain", format: statement.format, statement: inner };
      }
      findings.error(
        statement.statement.span,
        "EXPLAIN shows plans of SELECT and CREATE VIEW",
        "this statement has no plan",
      );
      return undefined;
    }
    default:
      return unreachable(statement);
  }
}

function bindCreateStream(
  statement: Extract<StatementNode, { kind: "create-stream" }>,
  findings: Findings,
): BoundStatement {
  checkResourceName(statement.name, findings);
  const columns = new Map<string, CatalogColumn>();
  for (const { name, type } of statement.columns) {
    if (columns.has(name.text)) findings.error(name.span, `The column ${printName(name)} is declared twice`);
    if (name.text.length > nameCharsMax)
      findings.error(name.span, `A name has at most ${nameCharsMax} characters`);
    columns.set(name.text, { name: name.text, type: bindType(type, findings) });
  }
  const { ifNotExists } = statement;
  const options = bindStreamOptions(statement.options, findings);
  return {
    kind: "create-stream",
    name: statement.name.text,
    ifNotExists,
    columns: [...columns.values()],
    ...options,
  };
}

function checkResourceName(name: NameNode, findings: Findings): void {
  if (name.text.length > nameCharsMax) {
    findings.error(name.span, `A name has at most ${nameCharsMax} characters`);
  } else if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name.text)) {
    findings.error(
      name.span,
      `'${name.text}' cannot be a name here`,
      "a letter, then letters, digits, _ and -",
    );
  } else if (name.text === "zookeeper") findings.error(name.span, "The name zookeeper is taken");
}
