import { unreachable } from "@hstream/proto";
import type { NameNode, OptionNode, QueryNode, StatementNode } from "../ast/ast.js";
import type { Catalog, CatalogColumn, Relation } from "../catalog/catalog.js";
import type { Diagnostic } from "../diagnostic.js";
import { nameCharsMax } from "../limits.js";
import { printName } from "../print/print-expression.js";
import { bindType } from "./bind-expression.js";
import { bindInsertRows } from "./bind-insert.js";
import { findRelation } from "./bind-from.js";
import { bindConnectorOptions, bindStart, bindStreamOptions } from "./bind-options.js";
import { bindQuery } from "./bind-query.js";
import type { BoundQuery, BoundStatement } from "./bound-statement.js";
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
      return { kind: "query", query: bindQuery(statement.query, catalog, findings, "query") };
    case "create-stream":
      return bindCreateStream(statement, findings);
    case "create-stream-as":
      return bindCreateStreamAs(statement, catalog, findings);
    case "create-view": {
      checkResourceName(statement.name, findings);
      const { ifNotExists, orReplace, name } = statement;
      const query = startingAt(
        bindContinuous(statement.query, catalog, findings, "view"),
        statement.options,
        findings,
      );
      return { kind: "create-view", name: name.text, ifNotExists, orReplace, query };
    }
    case "create-connector": {
      checkResourceName(statement.name, findings);
      const { direction, ifNotExists, name } = statement;
      const options = bindConnectorOptions(statement.options, findings);
      const type = statement.type?.text ?? options.get("TYPE") ?? options.get("type");
      if (typeof type !== "string") {
        findings.error(
          name.span,
          "This connector has no type",
          `CREATE SINK CONNECTOR ${name.text} TO mysql WITH (…)`,
        );
        return undefined;
      }
      return { kind: "create-connector", name: name.text, direction, ifNotExists, type, options };
    }
    case "insert": {
      const relation = findRelation(statement.relation.text, statement.relation.span, catalog, findings);
      if (relation === undefined) return undefined;
      if (relation.kind !== "stream") {
        const what = relation.kind === "view" ? "a view" : "a system table";
        findings.error(statement.relation.span, `${relation.name} is ${what}; records go into streams`);
        return undefined;
      }
      if (statement.source.kind === "query") {
        return bindInsertQuery(statement, statement.source.query, relation, catalog, findings);
      }
      return {
        kind: "insert",
        stream: relation,
        rows: bindInsertRows(statement, relation, findings, options.nowMs),
      };
    }
    case "show":
      return { kind: "show", target: statement.target };
    case "show-errors":
      return { kind: "show-errors", name: statement.query.text };
    case "analyze":
      return { kind: "analyze", target: statement.target, name: statement.name.text };
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
      return { kind: "terminate", query: statement.query?.text };
    case "pause":
    case "resume":
      return { kind: statement.kind, target: statement.target, name: statement.name.text };
    case "explain": {
      const inner = bind(statement.statement, catalog, findings, options);
      if (inner === undefined) return undefined;
      if ("query" in inner && inner.kind !== "terminate") {
        return { kind: "explain", format: statement.format, statement: inner };
      }
      findings.error(
        statement.statement.span,
        "EXPLAIN shows plans of queries: SELECT, CREATE … AS, INSERT INTO … SELECT",
        "this statement has no plan",
      );
      return undefined;
    }
    default:
      return unreachable(statement);
  }
}

/** The query of a view or stream: it lives on, and reads what changes. */
function bindContinuous(
  node: QueryNode,
  catalog: Catalog,
  findings: Findings,
  use: "view" | "stream",
): BoundQuery {
  const what = use === "view" ? "A view" : "A stream";
  const query = bindQuery(node, catalog, findings, use);
  if (query.sources.length === 0) findings.error(node.span, `${what} needs a FROM`);
  if (query.sources.some((source) => source.kind === "table")) {
    findings.error(node.span, `${what} cannot read a system table`);
  }
  return query;
}

/** WITH (START = …), which other options do not go with. */
function startingAt(query: BoundQuery, options: readonly OptionNode[], findings: Findings): BoundQuery {
  const start = bindStart(options, findings);
  for (const { name } of options) {
    if (name.text.toUpperCase() === "START") continue;
    findings.error(name.span, `There is no option ${name.text} here`, "options are START");
  }
  return { ...query, ...start };
}

function bindCreateStreamAs(
  statement: Extract<StatementNode, { kind: "create-stream-as" }>,
  catalog: Catalog,
  findings: Findings,
): BoundStatement {
  checkResourceName(statement.name, findings);
  const { name, ifNotExists, orReplace, partitionBy, options } = statement;
  const bound = bindContinuous(statement.query, catalog, findings, "stream");
  // Records appended after it starts, unless it says otherwise.
  const from = statement.query.emit?.from ?? "latest";
  const query: BoundQuery = { ...bound, start: from, ...bindStart(options, findings) };
  const streamOptions = options.filter((option) => option.name.text.toUpperCase() !== "START");
  if (
    partitionBy !== undefined &&
    !query.output.some((column) => column.name === partitionBy.text || column.spread)
  ) {
    findings.error(partitionBy.span, `The query gives no column ${printName(partitionBy)}`);
  }
  return {
    kind: "create-stream-as",
    name: name.text,
    ifNotExists,
    orReplace,
    query,
    ...(partitionBy === undefined ? {} : { partitionBy: partitionBy.text }),
    ...bindStreamOptions(streamOptions, findings),
  };
}

function bindInsertQuery(
  statement: Extract<StatementNode, { kind: "insert" }>,
  node: QueryNode,
  stream: Relation,
  catalog: Catalog,
  findings: Findings,
): BoundStatement {
  const query = { ...bindContinuous(node, catalog, findings, "stream"), start: node.emit?.from ?? "latest" };
  if (query.sources.some((source) => source.id === stream.id)) {
    findings.error(
      statement.relation.span,
      `The query reads ${stream.name}, which it would write to for ever`,
    );
  }
  const columns = statement.columns?.map((column) => column.text);
  if (
    columns !== undefined &&
    !query.output.some((column) => column.spread) &&
    columns.length !== query.output.length
  ) {
    const [first] = statement.columns ?? [];
    const span = first?.span ?? statement.span;
    findings.error(span, `Columns: ${columns.length}, but the query gives ${query.output.length}`);
  }
  return { kind: "insert-select", stream, columns, query };
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
  const { ifNotExists, orReplace } = statement;
  const options = bindStreamOptions(statement.options, findings);
  return {
    kind: "create-stream",
    name: statement.name.text,
    ifNotExists,
    orReplace,
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
