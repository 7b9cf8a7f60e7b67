import type { StatementNode } from "../ast/ast.js";
import type { Diagnostic } from "../diagnostic.js";
import { diagnosticsMax, parseTextCharsMax, treeDepthMax } from "../limits.js";
import { lex, type Token, tokenSpan } from "../tokens/lexer.js";
import { splitTokens, tokensSpan } from "../tokens/split.js";
import { ExpectedTokens, explainError, explainToken } from "./explain-error.js";
import { Grammar } from "./grammar.js";
import { Refusal } from "./refusal.js";

export interface ParsedScript {
  /** Those without an error, in order. */
  readonly statements: readonly StatementNode[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Parses any text: statements separated by ";", the last one need not have it. */
export function parseScript(text: string): ParsedScript {
  if (text.length > parseTextCharsMax) {
    const message = `The text has ${text.length} characters; at most ${parseTextCharsMax} are taken`;
    const span = { start: 0, end: 0, line: 1, column: 1 };
    return { statements: [], diagnostics: [{ severity: "error", message, span }] };
  }
  const statements: StatementNode[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const { tokens } of splitTokens(lex(text).tokens)) {
    const result = parseStatement(tokens);
    if (result.kind === "statement") statements.push(result.statement);
    else if (diagnostics.length < diagnosticsMax) diagnostics.push(result.diagnostic);
  }
  return { statements, diagnostics };
}

type ParsedStatement =
  | { readonly kind: "statement"; readonly statement: StatementNode }
  | { readonly kind: "error"; readonly diagnostic: Diagnostic };

const expected = new ExpectedTokens();
let grammar: Grammar | undefined;

/** Statements of other systems that we know by sight. */
const notYet: readonly (readonly string[])[] = [["UPDATE"], ["DELETE"], ["CREATE", "TABLE"]];

function parseStatement(tokens: Token[]): ParsedStatement {
  const words = notYet.find((start) => start.every((word, i) => tokens[i]?.tokenType.name === word));
  if (words !== undefined) {
    const message = `${words.join(" ")} is not supported`;
    return refused({ severity: "error", message, span: tokensSpan(tokens.slice(0, words.length)) });
  }
  grammar ??= new Grammar(expected, false);
  try {
    const statement = grammar.parse(tokens);
    const [error] = grammar.errors;
    if (error === undefined && statement !== undefined) {
      const deep = tooDeep(statement);
      return deep === undefined ? { kind: "statement", statement } : refused(deep);
    }
    if (error !== undefined)
      return refused(brokenToken(tokens) ?? explainError(error, expected.expected, tokens));
    return refused({ severity: "error", message: "This is no statement", span: tokensSpan(tokens) });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { message, span, hint } = error;
    return refused(
      hint === undefined ? { severity: "error", message, span } : { severity: "error", message, hint, span },
    );
  }
}

/** Whatever walks the tree later may recurse: here is the promise that it can. Itself without recursion. */
function tooDeep(statement: StatementNode): Diagnostic | undefined {
  const pending: { readonly value: unknown; readonly depth: number }[] = [{ value: statement, depth: 0 }];
  for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
    const { value, depth } = top;
    if (typeof value !== "object" || value === null || value instanceof Map) continue;
    const below = "kind" in value ? depth + 1 : depth;
    if (below > treeDepthMax) {
      const message = `This statement is more than ${treeDepthMax} operators deep`;
      return { severity: "error", message, hint: "split the expression", span: statement.span };
    }
    for (const [name, child] of Object.entries(value) as [string, unknown][]) {
      if (typeof child === "object" && child !== null && name !== "span")
        pending.push({ value: child, depth: below });
    }
  }
  return undefined;
}

function refused(diagnostic: Diagnostic): ParsedStatement {
  return { kind: "error", diagnostic };
}

/** A text without end swallows all that follows, so it is the finding, wherever the grammar stopped. */
function brokenToken(tokens: readonly Token[]): Diagnostic | undefined {
  for (const token of tokens) {
    const broken = explainToken(token);
    if (broken !== undefined) return { severity: "error", span: tokenSpan(token), ...broken };
  }
  return undefined;
}
