import type { Span } from "../diagnostic.js";
import {
  acceptsCount,
  familyAcceptsType,
  parameterAt,
  type Family,
  type Signature,
} from "../functions/function.js";
import type { Expression } from "../plan/expression.js";
import { toText } from "../values/text.js";
import { cast } from "../values/cast.js";
import type { SqlType } from "../types/sql-type.js";
import { DYNAMIC, isNumeric, sameType, typeName } from "../types/types.js";
import { type Findings, unboundExpression } from "./findings.js";

/**
 * The result type of a call, by the signatures that its arguments fit; several (dynamic arguments) whose
 * results differ make a dynamic one. Undefined after a finding when none fits.
 */
export function callSignature(
  entry: { readonly name: string; readonly operator?: true | undefined },
  signatures: readonly Signature[],
  args: readonly Expression[],
  span: Span,
  findings: Findings,
): SqlType | undefined {
  if (args.includes(unboundExpression)) return DYNAMIC;
  const types = args.map((arg) => arg.type);
  const counted = signatures.filter((signature) => acceptsCount(signature, args.length));
  if (counted.length === 0) {
    findings.error(span, `${entry.name} takes ${countText(signatures)}, not ${args.length}`);
    return undefined;
  }
  const fitting = counted.filter((signature) =>
    types.every((type, i) => familyAcceptsType(parameterAt(signature, i) ?? "any", type)),
  );
  const [first, ...others] = fitting.map(({ result }) =>
    typeof result === "function" ? result(types) : result,
  );
  if (first === undefined) {
    findings.error(span, mismatch(entry, counted, types), "a cast such as x::FLOAT changes a type");
    return undefined;
  }
  return others.every((other) => sameType(other, first)) ? first : DYNAMIC;
}

function countText(signatures: readonly Signature[]): string {
  const counts = signatures.flatMap(({ parameters, optional = 0 }) => [
    parameters.length - optional,
    parameters.length,
  ]);
  const least = Math.min(...counts);
  const most = Math.max(...counts);
  const plural = most === 1 ? "argument" : "arguments";
  if (signatures.some(({ rest }) => rest !== undefined)) return `at least ${least} ${plural}`;
  return least === most ? `${least} ${plural}` : `${least} to ${most} ${plural}`;
}

function mismatch(
  entry: { readonly name: string; readonly operator?: true | undefined },
  signatures: readonly Signature[],
  types: readonly SqlType[],
): string {
  const given = types.map(typeName).join(" and ");
  if (entry.operator === true || signatures.length > 1) return `${entry.name} cannot work on ${given}`;
  const [signature] = signatures;
  const position = types.findIndex((type, i) => {
    const family = signature === undefined ? undefined : parameterAt(signature, i);
    return family !== undefined && !familyAcceptsType(family, type);
  });
  const family: Family = (signature === undefined ? undefined : parameterAt(signature, position)) ?? "any";
  const type = types[position];
  const which = types.length === 1 ? "argument" : `argument ${position + 1}`;
  return `${entry.name} takes ${wording[family]} as its ${which}, not ${type === undefined ? given : typeName(type)}`;
}

const wording: Readonly<Record<Family, string>> = {
  any: "anything",
  number: "a number",
  integer: "an INTEGER",
  boolean: "a BOOLEAN",
  string: "a STRING",
  bytea: "BYTEA",
  array: "an array",
  object: "a JSONB object",
  date: "a DATE",
  time: "a TIME",
  timestamp: "a TIMESTAMP",
  interval: "an INTERVAL",
};

const fromText: ReadonlySet<string> = new Set(["date", "time", "timestamp", "interval"]);

/**
 * Operands of a comparison. The one implicit cast: a text literal beside a DATE, TIME, TIMESTAMP or INTERVAL
 * is read as one. Static types that can never be equal get a notice (=) or an error (<).
 */
export function comparable(
  operands: readonly Expression[],
  span: Span,
  findings: Findings,
  operator = "=",
): readonly Expression[] {
  const moment = operands.find((operand) => fromText.has(operand.type.kind));
  const cast =
    moment === undefined
      ? operands
      : operands.map((operand) => readText(operand, moment.type, span, findings));
  const [first, ...others] = cast;
  if (first === undefined) return cast;
  const other = others.find((operand) => !goTogether(first.type, operand.type));
  if (other === undefined) return cast;
  const names = `${typeName(first.type)} with ${typeName(other.type)}`;
  if (operator === "=" || operator === "<>") {
    findings.notice(span, `This compares ${names}: they are never equal`, "cast one of them");
  } else findings.error(span, `${operator} cannot compare ${names}`, "cast one of them");
  return cast;
}

function readText(operand: Expression, type: SqlType, span: Span, findings: Findings): Expression {
  if (operand.kind !== "literal" || typeof operand.value !== "string") return operand;
  let failed = false;
  const value = cast(operand.value, type, {
    error: () => {
      failed = true;
      return null;
    },
  });
  if (!failed) return { kind: "literal", value, type };
  return findings.error(span, `'${toText(operand.value)}' is no ${typeName(type)}`);
}

function goTogether(a: SqlType, b: SqlType): boolean {
  if ([a.kind, b.kind].some((kind) => kind === "dynamic" || kind === "null")) return true;
  if (isNumeric(a) && isNumeric(b)) return true;
  if ((a.kind === "date" && b.kind === "timestamp") || (a.kind === "timestamp" && b.kind === "date"))
    return true;
  return a.kind === b.kind;
}

/** `/` cuts only between operands that are INTEGER by what is written: literals, declared columns and their like. */
export function dividesIntegers(left: Expression, right: Expression): boolean {
  return left.type.kind === "integer" && right.type.kind === "integer";
}
