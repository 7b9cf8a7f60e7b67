import { unreachable } from "@hstream/proto";
import type { BinaryOperator, ExpressionNode, NameNode, TypeNode } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import { aggregateFunction, callableNames, functionEntry, scalarFunction } from "../functions/table.js";
import type { AggregateCall, Expression } from "../plan/expression.js";
import { columnExpression, type LogicalColumn } from "../plan/logical.js";
import { printName } from "../print/print-expression.js";
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
import type { RelationScope } from "./scope.js";

/** Where an expression stands, and what it may use there. */
export interface ExpressionPlace {
  readonly findings: Findings;
  /** Undefined: no FROM. */
  readonly scope: RelationScope | undefined;
  /** WHERE, GROUP BY …, for messages. */
  readonly clause: string;
  /** Registers an aggregate and gives the column of its result; undefined where none is allowed. */
  readonly aggregate?: (call: AggregateCall) => LogicalColumn;
  /** What an alias of the select list stands for here; undefined for other names. */
  readonly alias?: (name: string) => ExpressionNode | undefined;
  /** Whether a name is that of a select item that cannot be named here (WHERE), for a notice. */
  readonly hiddenAlias?: (name: string) => boolean;
  /** Why names cannot stand here (INSERT's values); a double-quoted one is then a text. */
  readonly constantsOnly?: string;
}

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
      return { kind: "literal", value: first.text, type: STRING };
    return findings.error(span, place.constantsOnly, `write a text with single quotes: '${first.text}'`);
  }
  if (scope === undefined) {
    return findings.error(
      span,
      `There is no column ${printName(first)} without FROM`,
      "write a text with single quotes",
    );
  }
  if (second !== undefined && first.text !== scope.name) {
    const hint =
      first.text === scope.relation.name
        ? `in this query it is called ${scope.name}`
        : `did you mean ${scope.name}.${second.text}? A field of an object is ${first.text} -> '${second.text}'`;
    return findings.error(first.span, `${printName(first)} is not in FROM`, hint);
  }
  const name = second ?? first;
  if (second === undefined && !scope.declares(name.text)) {
    const aliased = place.alias?.(name.text);
    if (aliased !== undefined) return bindExpression(aliased, withoutAliases(place));
  }
  const column = scope.column(name.text);
  if (second === undefined && !scope.declares(name.text) && place.hiddenAlias?.(name.text) === true) {
    const message = `${name.text} is read as a field of the record here, not as the item AS ${name.text}`;
    findings.notice(name.span, message, `repeat the item's expression in ${place.clause}`);
  }
  if (column !== undefined) return columnExpression(column);
  const near = nearestName(
    name.text,
    scope.relation.columns.map((one) => one.name),
  );
  const hint =
    near !== undefined
      ? `did you mean ${near}?`
      : name.quotes === "double"
        ? "write a text with single quotes"
        : `DESCRIBE ${scope.relation.name} shows its columns`;
  return findings.error(name.span, `${scope.name} has no column ${printName(name)}`, hint);
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
  return { kind: "literal", value: name.text, type: STRING };
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

function or(args: readonly Expression[]): Expression {
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
function unified(expression: Expression, type: SqlType): Expression {
  if (expression.type.kind === "null" || type.kind === "dynamic") return expression;
  return castTo(expression, type);
}

// ---- functions -------------------------------------------------------------------------------------------

function bindFunction(node: Extract<ExpressionNode, { kind: "call" }>, place: ExpressionPlace): Expression {
  const name = node.name.text.toUpperCase();
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
  if (node.star || node.distinct || node.filter !== undefined) {
    const what = node.star ? "*" : node.distinct ? "DISTINCT" : "FILTER";
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

function bindAggregate(
  node: Extract<ExpressionNode, { kind: "call" }>,
  name: string,
  place: ExpressionPlace,
): Expression {
  const { findings } = place;
  const entry = aggregateFunction(name);
  if (entry === undefined) return nullLiteral;
  if (place.aggregate === undefined) {
    const hint = place.clause === "WHERE" ? "HAVING filters groups" : undefined;
    return findings.error(node.span, `${name} cannot stand in ${place.clause}`, hint);
  }
  const { aggregate: _, ...rest } = place;
  const inside: ExpressionPlace = { ...rest, clause: `the argument of ${name}` };
  if (node.star && name !== "COUNT")
    return findings.error(node.span, `${name} takes no *`, `name a column: ${name}(x)`);
  if (!node.star && node.args.length === 0) {
    return findings.error(
      node.span,
      `${name} needs an argument`,
      name === "COUNT" ? "COUNT(*) counts rows" : undefined,
    );
  }
  const args = node.args.map((arg) => bindExpression(arg, inside));
  const signature = {
    parameters: entry.parameters,
    optional: entry.optional ?? 0,
    result: entry.result,
    evaluate: () => null,
  };
  const type = callSignature(entry, [signature], args, node.span, findings);
  if (type === undefined) return nullLiteral;
  const call = { function: name, args, distinct: node.distinct, type };
  const filter = node.filter === undefined ? undefined : bindCondition(node.filter, inside, "FILTER");
  return columnExpression(place.aggregate(filter === undefined ? call : { ...call, filter }));
}
