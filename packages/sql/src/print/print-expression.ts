import { unreachable } from "@hstream/proto";
import type { ExpressionNode, FrameBoundNode, NameNode, OrderNode, OverNode, TypeNode } from "../ast/ast.js";
import { precedence, precedenceOf } from "../parse/precedence.js";
import { isReserved } from "../tokens/token-types.js";

/** The SQL text of an expression: keywords and function names in upper case, one blank between words. */
export function printExpression(node: ExpressionNode): string {
  return print(node, 0);
}

/** The name of an unaliased output column: its text without blanks; of a plain column, the column's name. */
export function columnNameOf(node: ExpressionNode): string {
  if (node.kind === "name") return node.parts.at(-1)?.text ?? "";
  return printExpression(node).replace(/\s+/g, "");
}

export function printName(name: NameNode): string {
  const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name.text) && !isReserved(name.text);
  return plain ? name.text : `"${name.text.replaceAll('"', '""')}"`;
}

export function printType(type: TypeNode): string {
  return type.name.text.toUpperCase() + "[]".repeat(type.dimensions);
}

/** In parentheses when it binds looser than its place allows. */
function print(node: ExpressionNode, place: number): string {
  const strength = strengthOf(node);
  const text = body(node, strength);
  return strength < place ? `(${text})` : text;
}

function strengthOf(node: ExpressionNode): number {
  switch (node.kind) {
    case "logical":
      return precedence[node.operator];
    case "binary":
      return precedenceOf(node.operator);
    case "unary":
      return node.operator === "NOT" ? precedence.NOT : precedence.sign;
    case "between":
    case "in":
    case "in-query":
    case "quantified":
    case "like":
    case "is":
    case "is-distinct":
      return precedence.comparison;
    default:
      return precedence.primary;
  }
}

function body(node: ExpressionNode, strength: number): string {
  const tighter = precedence.other;
  const list = (nodes: readonly ExpressionNode[]): string => nodes.map((one) => print(one, 0)).join(", ");
  switch (node.kind) {
    case "literal":
      return node.text;
    case "name":
      return node.parts.map(printName).join(".");
    case "unary":
      return node.operator === "NOT"
        ? `NOT ${print(node.operand, precedence.NOT)}`
        : `${node.operator}${print(node.operand, precedence.primary)}`;
    case "binary":
      return `${print(node.left, strength)} ${node.operator} ${print(node.right, strength + 1)}`;
    case "logical":
      return node.operands.map((one) => print(one, strength + 1)).join(` ${node.operator} `);
    case "between": {
      const operator = `${node.negated ? "NOT " : ""}BETWEEN${node.symmetric ? " SYMMETRIC" : ""}`;
      const bounds = `${print(node.low, tighter)} AND ${print(node.high, tighter)}`;
      return `${print(node.operand, strength)} ${operator} ${bounds}`;
    }
    case "in":
      return `${print(node.operand, strength)} ${node.negated ? "NOT " : ""}IN (${list(node.list)})`;
    case "like": {
      const operator = `${node.negated ? "NOT " : ""}${node.caseInsensitive ? "ILIKE" : "LIKE"}`;
      const escape = node.escape === undefined ? "" : ` ESCAPE ${print(node.escape, tighter)}`;
      return `${print(node.operand, strength)} ${operator} ${print(node.pattern, tighter)}${escape}`;
    }
    case "is":
      return `${print(node.operand, strength)} IS ${node.negated ? "NOT " : ""}${node.test}`;
    case "is-distinct": {
      const operator = `IS ${node.negated ? "NOT " : ""}DISTINCT FROM`;
      return `${print(node.left, strength)} ${operator} ${print(node.right, tighter)}`;
    }
    case "case": {
      const operand = node.operand === undefined ? "" : ` ${print(node.operand, 0)}`;
      const branches = node.branches.map(
        ({ when, then }) => ` WHEN ${print(when, 0)} THEN ${print(then, 0)}`,
      );
      const otherwise = node.otherwise === undefined ? "" : ` ELSE ${print(node.otherwise, 0)}`;
      return `CASE${operand}${branches.join("")}${otherwise} END`;
    }
    case "cast":
      return node.style === "cast"
        ? `CAST(${print(node.operand, 0)} AS ${printType(node.type)})`
        : `${print(node.operand, strength)}::${printType(node.type)}`;
    case "call": {
      const order = node.orderBy.length === 0 ? "" : ` ORDER BY ${printOrder(node.orderBy)}`;
      const args = node.star ? "*" : `${node.distinct ? "DISTINCT " : ""}${list(node.args)}${order}`;
      const filter = node.filter === undefined ? "" : ` FILTER (WHERE ${print(node.filter, 0)})`;
      const nulls = node.ignoreNulls ? " IGNORE NULLS" : "";
      const over = node.over === undefined ? "" : ` OVER ${printOver(node.over)}`;
      return `${node.name.text.toUpperCase()}(${args})${filter}${nulls}${over}`;
    }
    case "array":
      return `[${list(node.elements)}]`;
    case "element":
      return `${print(node.operand, strength)}[${print(node.index, 0)}]`;
    case "slice": {
      const from = node.from === undefined ? "" : print(node.from, 0);
      const to = node.to === undefined ? "" : print(node.to, 0);
      return `${print(node.operand, strength)}[${from}:${to}]`;
    }
    // Its name as a column; a query is not printed back.
    case "subquery":
      return "(SELECT …)";
    case "exists":
      return "EXISTS (SELECT …)";
    case "in-query":
      return `${print(node.operand, strength)} ${node.negated ? "NOT " : ""}IN (SELECT …)`;
    case "quantified": {
      const quantifier = node.all ? "ALL" : "ANY";
      return `${print(node.operand, strength)} ${node.operator} ${quantifier} (SELECT …)`;
    }
    default:
      return unreachable(node);
  }
}

function printOrder(keys: readonly OrderNode[]): string {
  const texts = keys.map(({ expression, descending, nulls }) => {
    const order = `${printExpression(expression)}${descending ? " DESC" : ""}`;
    return nulls === undefined ? order : `${order} NULLS ${nulls.toUpperCase()}`;
  });
  return texts.join(", ");
}

function printOver({ base, partitionBy, orderBy, frame }: OverNode): string {
  if (base?.whole === true) return printName(base.name);
  const parts = base === undefined ? [] : [printName(base.name)];
  if (partitionBy.length > 0) parts.push(`PARTITION BY ${partitionBy.map(printExpression).join(", ")}`);
  if (orderBy.length > 0) parts.push(`ORDER BY ${printOrder(orderBy)}`);
  if (frame !== undefined) {
    parts.push(
      `${frame.unit.toUpperCase()} BETWEEN ${printFrameBound(frame.start)} AND ${printFrameBound(frame.end)}`,
    );
  }
  return `(${parts.join(" ")})`;
}

function printFrameBound(bound: FrameBoundNode): string {
  const words = bound.kind.replace("-", " ").toUpperCase();
  return "offset" in bound ? `${printExpression(bound.offset)} ${words}` : words;
}
