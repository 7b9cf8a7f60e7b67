import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { commonType, DYNAMIC, INTEGER, isNumeric, NULL_TYPE } from "../types/types.js";
import { isInteger, isNumber } from "../values/numbers.js";
import { isArray, isObject, valueKind } from "../values/value-kind.js";

/** What an expression may ask of the world while it is evaluated. */
export interface EvaluationContext {
  /** Reports an expression error (overflow, bad cast …). The expression's value is the NULL it returns. */
  error(message: string): null;
  /** The step's clock, for NOW(). */
  readonly nowMs: number;
}

/** What a parameter takes. A dynamic or NULL argument fits every family when bound. */
export type Family =
  | "any"
  | "number"
  | "integer"
  | "boolean"
  | "string"
  | "bytea"
  | "array"
  | "object"
  | "date"
  | "time"
  | "timestamp"
  | "interval";

export interface Signature {
  readonly parameters: readonly Family[];
  /** How many of the last parameters may be left out. */
  readonly optional?: number;
  /** Any number of further arguments of this family. */
  readonly rest?: Family;
  readonly result: SqlType | ((args: readonly SqlType[]) => SqlType);
  /** `args` have the families of the parameters; none is NULL where the function's null rule is strict. */
  evaluate(args: readonly SqlValue[], context: EvaluationContext): SqlValue;
  /**
   * Instead of `evaluate` where the call's static type is FLOAT: a whole `number` is then no INTEGER, so it
   * neither overflows nor grows into a bigint.
   */
  evaluateFloat?(args: readonly SqlValue[], context: EvaluationContext): SqlValue;
}

export interface Example {
  readonly sql: string;
  /** As TO_STR prints it; "error" for an expression error. */
  readonly result: string;
}

interface Documented {
  readonly name: string;
  /** Other names for the same thing. */
  readonly aliases?: readonly string[];
  readonly help: string;
  readonly examples: readonly Example[];
}

export interface ScalarFunction extends Documented {
  readonly kind: "scalar";
  /** Operators are not called by name. */
  readonly operator?: true;
  readonly signatures: readonly Signature[];
  /** strict: NULL for a NULL argument without being called. */
  readonly nulls: "strict" | "called";
  /** Another value at each call: never folded. */
  readonly volatile?: true;
  /** Arguments are cast to their common type, which is also the result's (COALESCE). */
  readonly unify?: true;
}

/** Syntax of its own: AND, CASE, CAST … Not called by the table, but documented in it. */
export interface SpecialForm extends Documented {
  readonly kind: "form";
}

/** One aggregate's running state; its shape is the aggregate's own business. */
export type AggregateState = object;

export interface AggregateImplementation {
  /** `appendOnly`: no negative weight will ever come, so cheaper state will do. */
  create(appendOnly: boolean): AggregateState;
  /**
   * Adds a row `weight` times (negative: takes it back, perhaps before it comes). NULL
   * arguments come in too; each aggregate skips what it must.
   */
  add(state: AggregateState, args: readonly SqlValue[], weight: number, context: EvaluationContext): void;
  result(state: AggregateState, context: EvaluationContext): SqlValue;
  /** About how much memory the state holds. */
  stateBytes(state: AggregateState): number;
  /** The state as a value, which encodeRowKey and the stored forms keep exactly. */
  save(state: AggregateState): SqlValue;
  /** A state that goes on as the saved one would have. `appendOnly`: as it was when that one was created. */
  load(saved: SqlValue, appendOnly: boolean): AggregateState;
}

export interface AggregateFunction extends Documented {
  readonly kind: "aggregate";
  readonly parameters: readonly Family[];
  readonly optional?: number;
  readonly result: SqlType | ((args: readonly SqlType[]) => SqlType);
  readonly implementation: AggregateImplementation;
  /** Instead of it where the call's static type is FLOAT. */
  readonly floatImplementation?: AggregateImplementation;
  /** Its examples aggregate this: rows of x, separated by commas. */
  readonly exampleRows: string;
}

/** Looks at the rows of its partition; stands only before OVER (…). */
export interface WindowFunction extends Documented {
  readonly kind: "window";
  readonly parameters: readonly Family[];
  readonly optional?: number;
  readonly result: SqlType | ((args: readonly SqlType[]) => SqlType);
  /** Its examples give one result for each row, by rows of x, separated by commas. */
  readonly exampleRows: string;
}

export type FunctionEntry = ScalarFunction | SpecialForm | AggregateFunction | WindowFunction;

/** Whether an argument of that static type may stand for a parameter of that family. */
export function familyAcceptsType(family: Family, type: SqlType): boolean {
  if (type.kind === "dynamic" || type.kind === "null" || family === "any") return true;
  if (family === "number") return isNumeric(type);
  if (family === "object") return type.kind === "jsonb";
  return family === type.kind;
}

/** Whether a value has that family. */
export function familyAcceptsValue(family: Family, value: SqlValue): boolean {
  switch (family) {
    case "any":
      return true;
    case "number":
      return isNumber(value);
    case "integer":
      return isInteger(value);
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string";
    case "bytea":
      return value instanceof Uint8Array;
    case "array":
      return isArray(value);
    case "object":
      return isObject(value);
    case "date":
    case "time":
    case "timestamp":
    case "interval":
      return valueKind(value) === family;
  }
}

/** The family of the argument at that position, or undefined when there may be none. */
export function parameterAt(signature: Signature, position: number): Family | undefined {
  return signature.parameters[position] ?? signature.rest;
}

export function acceptsCount(signature: Signature, count: number): boolean {
  const most = signature.rest === undefined ? signature.parameters.length : Number.POSITIVE_INFINITY;
  return count >= signature.parameters.length - (signature.optional ?? 0) && count <= most;
}

/**
 * The value of a call. The oracle of compiled code: slow, plain and exact. `type`: the call's static type, on
 * which arithmetic depends.
 */
export function evaluateFunction(
  entry: ScalarFunction,
  args: readonly SqlValue[],
  context: EvaluationContext,
  type: SqlType = DYNAMIC,
): SqlValue {
  if (entry.nulls === "strict" && args.includes(null)) return null;
  const signature = entry.signatures.find(
    (one) =>
      acceptsCount(one, args.length) &&
      args.every((arg, i) => arg === null || familyAcceptsValue(parameterAt(one, i) ?? "any", arg)),
  );
  if (signature !== undefined) {
    return type.kind === "float" && signature.evaluateFloat !== undefined
      ? signature.evaluateFloat(args, context)
      : signature.evaluate(args, context);
  }
  const kinds = args.map((arg) => valueKind(arg).toUpperCase()).join(" and ");
  return context.error(`${entry.name} cannot work on ${kinds === "" ? "nothing" : kinds}`);
}

/** Result of arithmetic: INTEGER of integers, else FLOAT, or DECIMAL where one is exact. */
export function numericResult(args: readonly SqlType[]): SqlType {
  const numbers = args.filter((type) => isNumeric(type) || type.kind === "dynamic" || type.kind === "null");
  const common = commonType(numbers) ?? DYNAMIC;
  return common.kind === "null" ? INTEGER : common;
}

export function firstResult(args: readonly SqlType[]): SqlType {
  return args[0] ?? NULL_TYPE;
}
