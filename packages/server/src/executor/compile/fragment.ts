import { assert } from "@hstream/proto";

/**
 * A piece of generated code and how its value is to be had. `value` and `isNull` are JavaScript
 * expressions without effects, over variables that `code` declares.
 *
 *   number, boolean, string   an unboxed value, and separately whether it is NULL (undefined: never)
 *   decimal                   its units of 10^-scale, a safe integer
 *   timestamp                 its milliseconds, and separately whether it is NULL
 *   text                      UTF-8, not yet a string: `span` says where
 *   textList                  a row of the column that is the variable `column`
 *   null                      the literal NULL
 *   any                       a SqlValue, null included
 */
export interface Fragment {
  readonly code: string;
  readonly form:
    | "number"
    | "decimal"
    | "timestamp"
    | "boolean"
    | "string"
    | "text"
    | "textList"
    | "null"
    | "any";
  readonly value: string;
  readonly isNull: string | undefined;
  /** Of a number: it is whole and safe. */
  readonly isInteger?: boolean;
  /** Of a literal number. */
  readonly literal?: number;
  readonly scale?: number;
  readonly span?: Span;
  /** Of a text or a list that is a row of a column: the column's variable. */
  readonly column?: string;
  /** Of a string that is a literal, the constant that is its UTF-8. */
  readonly utf8?: string;
}

/** bytes[start, end), as JavaScript expressions. */
export interface Span {
  readonly bytes: string;
  readonly start: string;
  readonly end: string;
  /** `bytes` are the same for all rows, and known before the first. */
  readonly isFixed?: true;
}

/** What makes names, constants and columns for those who write code. */
export interface CodeMaker {
  /** A new variable. */
  name(prefix: string): string;
  /** The name of a value that the code refers to. */
  constant(value: unknown): string;
  /** The code calls the function table, or reports errors itself: it says first whether the row comes or goes. */
  callsTable(): void;
}

/** SQL's comparisons as JavaScript's, of unboxed values. */
export const comparisonOperators: ReadonlyMap<string, string> = new Map([
  ["=", "==="],
  ["<>", "!=="],
  ["<", "<"],
  ["<=", "<="],
  [">", ">"],
  [">=", ">="],
]);

/** What ends a fast kernel, whose batch is then done by the careful one. */
export const giveUp = "return undefined;";

export function codeOf(operands: readonly Fragment[]): string {
  return operands.map((operand) => `${operand.code}\n`).join("");
}

/** The fragment's value as a SqlValue. */
export function boxed(fragment: Fragment): string {
  const { form, isNull } = fragment;
  if (form === "null") return "null";
  const value =
    form === "timestamp"
      ? `{ kind: "timestamp", ms: ${fragment.value} }`
      : form === "decimal"
        ? `decimalOf(${fragment.value}, ${fragment.scale ?? 0})`
        : fragment.value;
  return isNull === undefined ? value : `(${isNull} ? null : ${value})`;
}

/** Whether an operand is NULL; undefined: none ever is. */
export function anyNull(operands: readonly Fragment[]): string | undefined {
  assert(operands.length > 0, "there are operands");
  const tests = operands.flatMap((operand) => (operand.isNull === undefined ? [] : [operand.isNull]));
  return tests.length === 0 ? undefined : `(${tests.join(" || ")})`;
}

export function isTrue(condition: Fragment): string {
  if (condition.form === "null") return "false";
  if (condition.form !== "boolean") return `${boxed(condition)} === true`;
  return condition.isNull === undefined ? condition.value : `(!(${condition.isNull}) && ${condition.value})`;
}

export function isText(fragment: Fragment): boolean {
  return fragment.form === "text" || fragment.form === "string";
}

/** Where a text lies, also that of a literal. */
export function spanOf({ span, utf8 }: Fragment): Span | undefined {
  return span ?? (utf8 === undefined ? undefined : { bytes: utf8, start: "0", end: `${utf8}.length` });
}

/** NULL rows hold any value; they must not make the kernel give up. */
export function unlessNull(isNull: string | undefined): string {
  return isNull === undefined ? "" : `!(${isNull}) && `;
}

/** The form in which values of all these forms can be held; strings become text. */
export function commonForm(results: readonly Fragment[]): Fragment["form"] {
  const known = results.filter(({ form }) => form !== "null");
  const [first] = known;
  if (first === undefined) return "any";
  if (known.every((one) => isText(one) && spanOf(one) !== undefined)) return "text";
  const unboxed = first.form === "number" || first.form === "boolean" || first.form === "timestamp";
  if (unboxed && known.every(({ form }) => form === first.form)) return first.form;
  const sameScale = known.every(({ form, scale }) => form === "decimal" && scale === first.scale);
  return sameScale ? "decimal" : "any";
}

/** One of several fragments of a common form, chosen by the code; `assign` gives the code that chooses. */
export class Choice {
  readonly form: Fragment["form"];
  readonly #scale: number | undefined;
  readonly #isInteger: boolean;
  readonly #isNull: string;
  readonly #values: readonly string[];

  constructor(results: readonly Fragment[], maker: CodeMaker) {
    this.form = commonForm(results);
    this.#scale = results.find(({ form }) => form !== "null")?.scale;
    this.#isInteger = results.every(({ form, isInteger }) => form === "null" || isInteger === true);
    this.#isNull = maker.name("v");
    this.#values = Array.from({ length: this.form === "text" ? 3 : 1 }, () => maker.name("v"));
  }

  get declaration(): string {
    const first = this.form === "text" ? [noBytes, "0", "0"] : [this.form === "boolean" ? "false" : "0"];
    return `let ${this.#values.map((name, i) => `${name} = ${first[i] ?? "0"}`).join(", ")}, ${this.#isNull} = false;`;
  }

  assign(result: Fragment): string {
    const [value, start, end] = this.#values;
    if (this.form === "any") return `${result.code}\n${value} = ${boxed(result)};`;
    if (result.form === "null") return `${result.code}\n${this.#isNull} = true;`;
    const isNull = `${this.#isNull} = ${result.isNull ?? "false"};`;
    if (this.form !== "text") return `${result.code}\n${value} = ${result.value}; ${isNull}`;
    const span = spanOf(result);
    assert(span !== undefined, "what is chosen among texts is one");
    return `${result.code}\n${value} = ${span.bytes}; ${start} = ${span.start}; ${end} = ${span.end}; ${isNull}`;
  }

  fragment(code: string): Fragment {
    const [value = "", start = "", end = ""] = this.#values;
    const { form } = this;
    const common = { code, form, isNull: form === "any" ? undefined : this.#isNull };
    if (form === "text") {
      const span = { bytes: value, start, end };
      return { ...common, value: `textIn(${value}, ${start}, ${end})`, span };
    }
    const decimal = this.#scale === undefined ? {} : { scale: this.#scale };
    return { ...common, value, isInteger: this.#isInteger, ...decimal };
  }
}

/** Name of the constant that is a Buffer without bytes. */
export const noBytes = "noBytes";
