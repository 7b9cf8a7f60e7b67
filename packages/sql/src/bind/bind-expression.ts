import { unreachable } from "@hstream/proto";
import type { BinaryOperator, ExpressionNode, NameNode, TypeNode } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import { orderedName } from "../functions/ordered-aggregates.js";
import {
  aggregateFunction,
  callableNames,
  functionEntry,
  scalarFunction,
  windowFunction,
} from "../functions/table.js";
import type { AggregateCall, Expression } from "../plan/expression.js";
import { columnExpression, type LogicalColumn } from "../plan/logical.js";
import { columnsIn, expressionKey } from "../plan/rewrite.js";
import { textOfName } from "../parse/literals.js";
import { printName } from "../print/print-expression.js";
import { windowNamed } from "../tokens/window-names.js";
import type { SqlType } from "../types/sql-type.js";
import {
  arrayOf,
  BOOLEAN,
  commonType,
  DYNAMIC,
  NULL_TYPE,
  sameType,
  STRING,
  typeName,
  typeNamed,
  typeNames,
} from "../types/types.js";
import { callSignature, comparable, dividesIntegers } from "./call-types.js";
import type { Findings } from "./findings.js";
import type { Scope, ScopeRelation } from "./scope.js";

/** Where an expression stands, and what it may use there. */
export interface ExpressionPlace {
  readonly findings: Findings;
  /** Undefined: no FROM. */
  readonly scope: Scope | undefined;
  /** WHERE, GROUP BY …, for messages. */
  readonly clause: string;
  /** Registers an aggregate and gives the column of its result; undefined where none is allowed. */
  readonly aggregate?: (call: AggregateCall) => LogicalColumn;
  /** Joins a subquery to what the expression reads, and gives its value; undefined where none is allowed. */
  readonly subquery?: (node: SubqueryNode, operand: Expression | undefined) => Expression;
  /** Registers a window function and gives its value; undefined where none is allowed. */
  readonly window?: (node: CallNode, place: ExpressionPlace) => Expression;
  /** What an alias of the select list stands for here; undefined for other names. */
  readonly alias?: (name: string) => ExpressionNode | undefined;
  /** Whether a name is that of a select item that cannot be named here (WHERE), for a notice. */
  readonly hiddenAlias?: (name: string) => boolean;
  /** Why names cannot stand here (INSERT's values); a double-quoted one is then a text. */
  readonly constantsOnly?: string;
}

export type SubqueryNode = Extract<
  ExpressionNode,
  { kind: "subquery" | "exists" | "in-query" | "quantified" }
>;
export type CallNode = Extract<ExpressionNode, { kind: "call" }>;

const nullLiteral: Expression = { kind: "literal", value: null, type: NULL_TYPE };

/** A syntax tree with its names resolved and its types known. Findings go to the place's collector. */
export function bindExpression(node: ExpressionNode, place: ExpressionPlace): Expression {
  const bind = (child: ExpressionNode): Expression => bindExpression(child, place);
  const call = (name: string, args: readonly Expression[]): Expression =>
    bindCall(name, args, node.span, place);
  const negate = (negated: boolean, expression: Expression): Expression =>
    negated ? call("NOT", [expression]) : expression;
  switch (node.kind) {
    case "literal":
      return { kind: "literal", value: node.value, type: node.type };
    case "name":
      return bindName(node.parts, node.span, place);
    case "unary": {
      const operand = bind(node.operand);
      if (node.operator !== "+") return call(node.operator === "-" ? "NEGATE" : "NOT", [operand]);
      return operand;
    }
    case "binary":
      return bindBinary(node, place);
    case "logical":
      return {
        kind: node.operator === "AND" ? "and" : "or",
        args: node.operands.map((operand) => bindCondition(operand, place, node.operator)),
        type: BOOLEAN,
      };
    case "between": {
      const [operand, low, high] = comparable(
        [bind(node.operand), bind(node.low), bind(node.high)],
        node.span,
        place.findings,
      );
      if (operand === undefined || low === undefined || high === undefined) return nullLiteral;
      const within = between(operand, low, high, call);
      const both = node.symmetric ? or([within, between(operand, high, low, call)]) : within;
      return negate(node.negated, both);
    }
    case "in": {
      const operand = bind(node.operand);
      const list = node.list.map((child) => bindComparand(child, node.operand, place));
      return negate(node.negated, call("IN", comparable([operand, ...list], node.span, place.findings)));
    }
    case "like": {
      const args = [
        bind(node.operand),
        bind(node.pattern),
        ...(node.escape === undefined ? [] : [bind(node.escape)]),
      ];
      return negate(node.negated, call(node.caseInsensitive ? "ILIKE" : "LIKE", args));
    }
    case "is":
      return call(`IS ${node.negated ? "NOT " : ""}${node.test}`, [bind(node.operand)]);
    case "is-distinct": {
      const args = comparable(
        [bind(node.left), bindComparand(node.right, node.left, place)],
        node.span,
        place.findings,
      );
      return call(`IS ${node.negated ? "NOT " : ""}DISTINCT FROM`, args);
    }
    case "case":
      return bindCase(node, place);
    case "cast":
      return castTo(bind(node.operand), bindType(node.type, place.findings));
    case "call":
      return bindFunction(node, place);
    case "array":
      return call("ARRAY", node.elements.map(bind));
    case "element":
      return call("[]", [bind(node.operand), bind(node.index)]);
    case "slice":
      return call("[:]", [
        bind(node.operand),
        node.from === undefined ? nullLiteral : bind(node.from),
        node.to === undefined ? nullLiteral : bind(node.to),
      ]);
    case "subquery":
    case "exists":
    case "in-query":
    case "quantified": {
      const operand = "operand" in node ? bind(node.operand) : undefined;
      return (
        place.subquery?.(node, operand) ??
        place.findings.error(node.span, `A subquery cannot stand in ${place.clause}`)
      );
    }
    default:
      return unreachable(node);
  }
}

/** An expression that must be a BOOLEAN. */
export function bindCondition(node: ExpressionNode, place: ExpressionPlace, what: string): Expression {
  const expression = bindExpression(node, place);
  const { kind } = expression.type;
  if (kind === "boolean" || kind === "dynamic" || kind === "null") return expression;
  return place.findings.error(
    node.span,
    `${what} needs a BOOLEAN, and this is ${article(expression.type)}`,
    "compare it with something, or cast it with ::BOOLEAN",
  );
}

export function bindType(node: TypeNode, findings: Findings): SqlType {
  let type = typeNamed(node.name.text);
  if (type === undefined) {
    const near = nearestName(node.name.text, typeNames());
    findings.error(
      node.name.span,
      `There is no type ${node.name.text}`,
      near === undefined
        ? "types are INTEGER, FLOAT, DECIMAL, STRING, BOOLEAN, TIMESTAMP, JSONB …"
        : `did you mean ${near}?`,
    );
    type = DYNAMIC;
  }
  for (let i = 0; i < node.dimensions; i++) type = arrayOf(type);
  return type;
}

export function castTo(operand: Expression, type: SqlType): Expression {
  return sameType(operand.type, type) && type.kind !== "array" ? operand : { kind: "cast", operand, type };
}

export function article(type: SqlType): string {
  const name = typeName(type);
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}

// ---- names -----------------------------------------------------------------------------------------------

function bindName(parts: readonly NameNode[], span: Span, place: ExpressionPlace): Expression {
  const { findings, scope } = place;
  const [first, second] = parts;
  if (first === undefined) return nullLiteral;
  if (place.constantsOnly !== undefined) {
    if (second === undefined && first.quotes === "double")
      return { kind: "literal", value: textOfName(first), type: STRING };
    return findings.error(span, place.constantsOnly, `write a text with single quotes: '${first.text}'`);
  }
  if (scope === undefined || (scope.relations.length === 0 && scope.outer === undefined)) {
    return findings.error(
      span,
      `There is no column ${printName(first)} without FROM`,
      "write a text with single quotes",
    );
  }
  return second === undefined
    ? bindPlainName(first, scope, place)
    : bindQualifiedName(first, second, scope, place);
}

function bindQualifiedName(
  first: NameNode,
  second: NameNode,
  scope: Scope,
  { findings }: ExpressionPlace,
): Expression {
  const relation = scope.relation(first.text);
  if (relation !== undefined) {
    return relation.resolve(second.text) ?? noColumn(second, [relation], findings);
  }
  const outer = scope.outer?.relation(first.text);
  if (outer !== undefined) {
    const found = outer.resolve(second.text);
    return found === undefined ? noColumn(second, [outer], findings) : correlate(found, scope);
  }
  if (scope.outer?.outer?.relation(first.text) !== undefined) {
    return findings.error(first.span, `${printName(first)} is not in the query right around this one`);
  }
  const renamed = scope.relations.find(({ relationName }) => relationName === first.text);
  const [only] = scope.relations;
  const hint =
    renamed !== undefined
      ? `in this query it is called ${renamed.name}`
      : only === undefined
        ? undefined
        : `did you mean ${only.name}.${second.text}? A field of an object is ${first.text} -> '${second.text}'`;
  return findings.error(first.span, `${printName(first)} is not in FROM`, hint);
}

function bindPlainName(name: NameNode, scope: Scope, place: ExpressionPlace): Expression {
  const { findings } = place;
  if (!scope.declares(name.text)) {
    const aliased = place.alias?.(name.text);
    if (aliased !== undefined) return bindExpression(aliased, withoutAliases(place));
    // A declared column of the query around this one comes before a field that may be there.
    if (scope.outer?.declares(name.text) === true && !scope.relations.some(({ open }) => open)) {
      const found = scope.outer.find(name.text);
      if (found !== undefined) return correlate(found.expression, scope);
    }
    if (place.hiddenAlias?.(name.text) === true) {
      const message = `${name.text} is read as a field of the record here, not as the item AS ${name.text}`;
      findings.notice(name.span, message, `repeat the item's expression in ${place.clause}`);
    }
  }
  const found = scope.find(name.text);
  if (found === undefined) {
    const outer = scope.outer?.find(name.text);
    return outer === undefined
      ? noColumn(name, scope.relations, findings)
      : correlate(outer.expression, scope);
  }
  const [other] = found.others;
  if (other !== undefined && found.relation !== undefined) {
    findings.notice(
      name.span,
      `${printName(name)} may be of ${found.relation.name} or of ${other.name}: that of ${found.relation.name} is taken`,
      `write ${found.relation.name}.${name.text}`,
    );
  }
  return found.expression;
}

function correlate(expression: Expression, scope: Scope): Expression {
  for (const id of columnsIn(expression)) scope.correlated.add(id);
  return expression;
}

function noColumn(name: NameNode, relations: readonly ScopeRelation[], findings: Findings): Expression {
  const near = nearestName(
    name.text,
    relations.flatMap((relation) => relation.columnNames),
  );
  const [only] = relations;
  const what = relations.length === 1 && only !== undefined ? only.name : "Nothing in FROM";
  const shown = only?.relationName;
  const hint =
    near !== undefined
      ? `did you mean ${near}?`
      : name.quotes === "double"
        ? "write a text with single quotes"
        : shown === undefined
          ? undefined
          : `DESCRIBE ${shown} shows its columns`;
  return findings.error(
    name.span,
    `${what === "" ? "The subquery" : what} has no column ${printName(name)}`,
    hint,
  );
}

function withoutAliases(place: ExpressionPlace): ExpressionPlace {
  const { alias: _, ...rest } = place;
  return rest;
}

/**
 * The right side of a comparison: a double-quoted word beside a column, where no such column is declared, is
 * the text it was in older dialects.
 */
function bindComparand(node: ExpressionNode, beside: ExpressionNode, place: ExpressionPlace): Expression {
  const name = node.kind === "name" && node.parts.length === 1 ? node.parts[0] : undefined;
  const asText =
    name?.quotes === "double" &&
    beside.kind === "name" &&
    place.scope !== undefined &&
    !place.scope.declares(name.text);
  if (!asText) return bindExpression(node, place);
  place.findings.notice(node.span, `"${name.text}" is taken as a text`, `write '${name.text}'`);
  return { kind: "literal", value: textOfName(name), type: STRING };
}

// ---- operators -------------------------------------------------------------------------------------------

const comparisons: ReadonlySet<BinaryOperator> = new Set(["=", "<>", "<", "<=", ">", ">="]);

function bindBinary(node: Extract<ExpressionNode, { kind: "binary" }>, place: ExpressionPlace): Expression {
  const { operator } = node;
  const left = bindExpression(node.left, place);
  if (comparisons.has(operator)) {
    const args = comparable(
      [left, bindComparand(node.right, node.left, place)],
      node.span,
      place.findings,
      operator,
    );
    return bindCall(operator, args, node.span, place);
  }
  const right = bindExpression(node.right, place);
  if (operator === "||" && left.type.kind === "boolean" && right.type.kind === "boolean") {
    place.findings.notice(node.span, "|| between BOOLEAN operands is taken as OR", "write OR");
    return or([left, right]);
  }
  return bindCall(
    operator === "/" && dividesIntegers(left, right) ? "DIV" : operator,
    [left, right],
    node.span,
    place,
  );
}

export function or(args: readonly Expression[]): Expression {
  return { kind: "or", args, type: BOOLEAN };
}

/** Two comparisons where the operand costs nothing to read twice, else a call. */
function between(
  operand: Expression,
  low: Expression,
  high: Expression,
  call: (name: string, args: readonly Expression[]) => Expression,
): Expression {
  if (operand.kind !== "column" && operand.kind !== "literal") return call("BETWEEN", [operand, low, high]);
  return { kind: "and", args: [call(">=", [operand, low]), call("<=", [operand, high])], type: BOOLEAN };
}

function bindCase(node: Extract<ExpressionNode, { kind: "case" }>, place: ExpressionPlace): Expression {
  const operand = node.operand === undefined ? undefined : bindExpression(node.operand, place);
  const branches = node.branches.map(({ when, then }) => {
    const condition =
      operand === undefined || node.operand === undefined
        ? bindCondition(when, place, "WHEN")
        : bindCall(
            "=",
            comparable([operand, bindComparand(when, node.operand, place)], when.span, place.findings, "="),
            when.span,
            place,
          );
    return { when: condition, then: bindExpression(then, place) };
  });
  const otherwise = node.otherwise === undefined ? nullLiteral : bindExpression(node.otherwise, place);
  const types = [...branches.map(({ then }) => then.type), otherwise.type];
  const type = commonType(types);
  if (type === undefined) {
    const names = [...new Set(types.map(typeName))].join(", ");
    return place.findings.error(
      node.span,
      `The branches of CASE have different types: ${names}`,
      "cast them to one type",
    );
  }
  return {
    kind: "case",
    branches: branches.map(({ when, then }) => ({ when, then: unified(then, type) })),
    otherwise: unified(otherwise, type),
    type,
  };
}

/** Cast to the type that several expressions share; NULL and dynamic values fit as they are. */
export function unified(expression: Expression, type: SqlType): Expression {
  if (expression.type.kind === "null" || type.kind === "dynamic") return expression;
  return castTo(expression, type);
}

// ---- functions -------------------------------------------------------------------------------------------

function bindFunction(node: Extract<ExpressionNode, { kind: "call" }>, place: ExpressionPlace): Expression {
  const name = node.name.text.toUpperCase();
  if (node.over !== undefined) {
    return (
      place.window?.(node, place) ??
      place.findings.error(node.span, `A window function cannot stand in ${place.clause}`)
    );
  }
  if (windowFunction(name) !== undefined) {
    return place.findings.error(node.span, `${name} needs OVER (…)`, `${name}() OVER (ORDER BY x)`);
  }
  if (windowNamed(name) !== undefined) {
    return place.findings.error(node.span, `${name} windows are not run yet`);
  }
  const aggregate = aggregateFunction(name);
  if (aggregate !== undefined) return bindAggregate(node, aggregate.name, place);
  const entry = functionEntry(name);
  if (entry === undefined || entry.kind !== "scalar" || entry.operator === true) {
    const near = nearestName(name, callableNames());
    return place.findings.error(
      node.name.span,
      `There is no function ${name}`,
      near === undefined ? undefined : `did you mean ${near}?`,
    );
  }
  if (node.ignoreNulls) return place.findings.error(node.span, `${name} takes no IGNORE NULLS`);
  if (node.star || node.distinct || node.filter !== undefined || node.orderBy.length > 0) {
    const what = node.star ? "*" : node.distinct ? "DISTINCT" : node.filter ? "FILTER" : "ORDER BY";
    return place.findings.error(node.span, `${name} takes no ${what}`, "only aggregates do");
  }
  const args = node.args.map((arg) => bindExpression(arg, place));
  if (entry.unify === true) {
    const type = commonType(args.map((arg) => arg.type));
    if (type === undefined) {
      const names = [...new Set(args.map((arg) => typeName(arg.type)))].join(", ");
      return place.findings.error(
        node.span,
        `The arguments of ${name} have different types: ${names}`,
        "cast them to one type",
      );
    }
    return bindCall(
      entry.name,
      args.map((arg) => unified(arg, type)),
      node.span,
      place,
    );
  }
  return bindCall(entry.name, args, node.span, place);
}

function bindCall(name: string, args: readonly Expression[], span: Span, place: ExpressionPlace): Expression {
  const entry = scalarFunction(name);
  if (entry === undefined) return place.findings.error(span, `There is no function ${name}`);
  const type = callSignature(entry, entry.signatures, args, span, place.findings);
  return type === undefined ? nullLiteral : { kind: "call", function: entry.name, args, type };
}

function bindAggregate(node: CallNode, name: string, place: ExpressionPlace): Expression {
  const { findings } = place;
  if (place.aggregate === undefined) {
    const hint = place.clause === "WHERE" ? "HAVING filters groups" : undefined;
    return findings.error(node.span, `${name} cannot stand in ${place.clause}`, hint);
  }
  const { aggregate: _, window: __, ...rest } = place;
  const inside: ExpressionPlace = { ...rest, clause: `the argument of ${name}` };
  const call = aggregateCall(node, name, inside);
  return call === undefined ? nullLiteral : columnExpression(place.aggregate(call));
}

/** The aggregate of a call whose arguments stand in `inside`; undefined after a finding. */
export function aggregateCall(
  node: CallNode,
  name: string,
  inside: ExpressionPlace,
): AggregateCall | undefined {
  const { findings } = inside;
  const entry = aggregateFunction(name);
  if (entry === undefined) return undefined;
  if (node.star && name !== "COUNT") {
    findings.error(node.span, `${name} takes no *`, `name a column: ${name}(x)`);
    return undefined;
  }
  if (!node.star && node.args.length === 0) {
    const hint = name === "COUNT" ? "COUNT(*) counts rows" : undefined;
    findings.error(node.span, `${name} needs an argument`, hint);
    return undefined;
  }
  const args = node.args.map((arg) => bindExpression(arg, inside));
  const { parameters, optional = 0, result } = entry;
  const signature = { parameters, optional, result, evaluate: () => null };
  const type = callSignature(entry, [signature], args, node.span, findings);
  if (type === undefined) return undefined;
  const call = orderedCall(node, { function: name, args, distinct: node.distinct, type }, inside);
  if (node.filter === undefined) return call;
  return { ...call, filter: bindCondition(node.filter, inside, "FILTER") };
}

/** The call with the order of its values, as ordered-aggregates.ts takes it. */
function orderedCall(node: CallNode, call: AggregateCall, inside: ExpressionPlace): AggregateCall {
  if (node.orderBy.length === 0) return call;
  const keys = node.orderBy.map(({ expression }) => bindExpression(expression, inside));
  const name = orderedName(call.function);
  if (name === undefined) return call;
  const [value, separator = nullLiteral] = call.args;
  if (value === undefined) return call;
  if (call.distinct && keys.some((key) => expressionKey(key) !== expressionKey(value))) {
    const message = `${call.function}(DISTINCT …) is ordered only by what it collects`;
    inside.findings.error(node.span, message, "order by the same expression");
  }
  const directions = node.orderBy.map(({ descending, nulls }) => {
    const letter = descending ? "d" : "a";
    return nulls === "first" ? letter.toUpperCase() : letter;
  });
  const order: Expression = { kind: "literal", value: directions.join(""), type: STRING };
  return { ...call, function: name, args: [value, separator, order, ...keys] };
}
