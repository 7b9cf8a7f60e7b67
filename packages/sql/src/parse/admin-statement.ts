import type { ExpressionNode, NameNode, QueryNode, SelectItemNode, StatementNode } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { STRING } from "../types/types.js";
import { literal } from "./literals.js";

/** A question about statistics of the first dialect, as a query of the table of that name. */
export function adminStatement(
  items: readonly SelectItemNode[],
  table: NameNode,
  streams: readonly NameNode[],
  span: Span,
): StatementNode {
  const name: NameNode = { ...table, text: table.text.toLowerCase() };
  const column: NameNode = { text: "stream_name", span: name.span, quotes: "none" };
  const list = streams.map(({ text, span: at }) => literal(text, STRING, `'${text}'`, at));
  const where: ExpressionNode | undefined =
    streams.length === 0
      ? undefined
      : { kind: "in", operand: { kind: "name", parts: [column], span }, list, negated: false, span };
  const query: QueryNode = {
    kind: "query",
    span,
    with: [],
    body: {
      kind: "select",
      span,
      distinct: false,
      items,
      from: { kind: "relation", name, alias: undefined, span: name.span },
      where,
      groupBy: [],
      having: undefined,
      windows: [],
    },
    orderBy: [],
    limit: undefined,
    offset: undefined,
    emit: undefined,
  };
  return { kind: "query", query, span };
}
