import { must } from "@hstream/proto";
import type { BinaryOperator, ExpressionNode } from "../ast/ast.js";
import { operatorChainMax } from "../limits.js";
import { spanBetween } from "../tokens/lexer.js";
import type { Span } from "../diagnostic.js";
import { Refusal } from "./refusal.js";

/**
 * Loosest first. JSON operators and || bind tighter than comparisons and looser than arithmetic, so that
 * a->>'x' = 'y' needs no parentheses.
 */
export const precedence = {
  OR: 1,
  AND: 2,
  NOT: 3,
  comparison: 4,
  other: 5,
  sum: 6,
  product: 7,
  sign: 8,
  primary: 9,
} as const;

const infixPrecedence: ReadonlyMap<string, number> = new Map<string, number>([
  ["OR", precedence.OR],
  ["AND", precedence.AND],
  ["&&", precedence.AND],
  ...["=", "<>", "<", "<=", ">", ">="].map((operator) => [operator, precedence.comparison] as const),
  ...["||", "->", "->>", "#>", "#>>"].map((operator) => [operator, precedence.other] as const),
  ["+", precedence.sum],
  ["-", precedence.sum],
  ...["*", "/", "%", "DIV"].map((operator) => [operator, precedence.product] as const),
]);

export function precedenceOf(operator: string): number {
  return infixPrecedence.get(operator) ?? precedence.primary;
}

/** What a chain is made of, from left to right. */
export type Piece =
  | { readonly kind: "operand"; readonly node: ExpressionNode }
  | { readonly kind: "prefix"; readonly operator: "-" | "+" | "NOT"; readonly span: Span }
  | { readonly kind: "infix"; readonly operator: string; readonly span: Span }
  /** IS NULL, BETWEEN …: binds like a comparison to what stands before it. */
  | { readonly kind: "suffix"; readonly apply: (operand: ExpressionNode) => ExpressionNode };

type Pending = Extract<Piece, { kind: "prefix" | "infix" }>;

/** The tree of a chain, by an operator stack; all infix operators are left-associative. */
export function buildChain(pieces: readonly Piece[]): ExpressionNode {
  const nodes: ExpressionNode[] = [];
  const pending: Pending[] = [];
  const pop = (): ExpressionNode => must(nodes.pop(), "the grammar puts an operand at each place");
  const reduce = (down: number): void => {
    for (let top = pending.at(-1); top !== undefined && strengthOf(top) >= down; top = pending.at(-1)) {
      pending.pop();
      const right = pop();
      if (top.kind === "prefix") {
        const { operator } = top;
        nodes.push({ kind: "unary", operator, operand: right, span: spanBetween(top.span, right.span) });
      } else nodes.push(infix(top, pop(), right));
    }
  };
  // Between two ANDs or ORs each operator makes the tree one deeper.
  let chained = 0;
  const deepen = (span: Span): void => {
    if (++chained <= operatorChainMax) return;
    const hint = "split the expression, or use IN or an array";
    throw new Refusal(`More than ${operatorChainMax} operators in one chain`, span, hint);
  };
  const strengthOf = orSigns(pieces);
  for (const piece of pieces) {
    switch (piece.kind) {
      case "operand":
        nodes.push(piece.node);
        break;
      case "prefix":
        pending.push(piece);
        break;
      case "infix":
        reduce(strengthOf(piece));
        if (strengthOf(piece) <= precedence.AND) chained = 0;
        else deepen(piece.span);
        pending.push(piece);
        break;
      case "suffix":
        reduce(precedence.comparison);
        nodes.push(piece.apply(pop()));
        deepen(nodes.at(-1)?.span ?? { start: 0, end: 0, line: 1, column: 1 });
        break;
    }
  }
  reduce(0);
  return pop();
}

/**
 * How tight each operator binds. Between two comparisons || cannot join texts: there it is the OR of the first
 * dialects, and binds like one.
 */
function orSigns(pieces: readonly Piece[]): (piece: Pending) => number {
  if (!pieces.some((piece) => piece.kind === "infix" && piece.operator === "||")) return strength;
  const ors = new Set<Pending>();
  // Of the part between two ANDs or ORs: whether a comparison came, and the || since.
  let compared = false;
  let signs: Pending[] = [];
  for (const piece of pieces) {
    if (piece.kind === "infix" && strength(piece) <= precedence.AND) {
      compared = false;
      signs = [];
    } else if (piece.kind === "infix" && piece.operator === "||") {
      if (compared) signs.push(piece);
    } else if (
      piece.kind === "suffix" ||
      (piece.kind === "infix" && strength(piece) === precedence.comparison)
    ) {
      for (const sign of signs) ors.add(sign);
      signs = [];
      compared = true;
    }
  }
  return (piece) => (ors.has(piece) ? precedence.OR : strength(piece));
}

function strength(piece: Pending): number {
  if (piece.kind === "infix") return precedenceOf(piece.operator);
  return piece.operator === "NOT" ? precedence.NOT : precedence.sign;
}

function infix(piece: Pending, left: ExpressionNode, right: ExpressionNode): ExpressionNode {
  const span = spanBetween(left.span, right.span);
  const operator = piece.operator === "&&" ? "AND" : piece.operator;
  if (operator !== "AND" && operator !== "OR") {
    return { kind: "binary", operator: operator as BinaryOperator, left, right, span };
  }
  // A left operand of the same kind was made by this very chain or stood in parentheses: the same either way.
  if (left.kind === "logical" && left.operator === operator) {
    const operands = left.operands as ExpressionNode[];
    operands.push(right);
    return { ...left, span };
  }
  return { kind: "logical", operator, operands: [left, right], span };
}
