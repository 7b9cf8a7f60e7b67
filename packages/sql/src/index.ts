/** The SQL of HStream: text → tokens → syntax tree → bound → optimised → physical plan. Pure. */
export type {
  ExpressionNode,
  NameNode,
  QueryNode,
  SelectNode,
  ShowTarget,
  StatementNode,
} from "./ast/ast.js";
export { type BindOptions, bindStatement, type BoundResult } from "./bind/bind-statement.js";
export type {
  BoundQuery,
  BoundStatement,
  InsertRow,
  Polling,
  QueryStatementKind,
} from "./bind/bound-statement.js";
export type { Catalog, CatalogColumn, Relation } from "./catalog/catalog.js";
export type { Diagnostic, Span } from "./diagnostic.js";
export { nearestName } from "./diagnostics/nearest-name.js";
export { renderDiagnostic } from "./diagnostics/render.js";
export { optimise, type OptimisedQuery } from "./optimize/optimise.js";
export { type ParsedScript, parseScript } from "./parse/parse-script.js";
export { explain, type ExplainedStatement } from "./physical/explain.js";
export { toPhysical } from "./physical/to-physical.js";
export type { LogicalColumn, LogicalPlan } from "./plan/logical.js";
export { printExpression } from "./print/print-expression.js";
export * from "./runtime.js";
export { splitStatements, type StatementText } from "./tokens/split.js";
