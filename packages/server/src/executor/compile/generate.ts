import { assert, must } from "@hstream/proto";
import {
  cast,
  compareText,
  evaluateFunction,
  type Expression,
  type ScalarFunction,
  scalarFunction,
  type SqlType,
  type SqlValue,
  timestampMsMax,
} from "@hstream/sql/runtime";
import { type Column, columnOfValues, isTimestamp, textAt, valueAt } from "../columns.js";
import type { Evaluation } from "./evaluation.js";

/** Computes the expression for `rowCount` rows; undefined when it gave up (fast kernels only). */
export type Kernel = (
  rowCount: number,
  weights: Int32Array | undefined,
  columns: readonly Column[],
  evaluation: Evaluation,
) => Column | undefined;

/**
 * A piece of generated code and how its value is to be had. `value` and `isNull` are JavaScript
 * expressions without effects, over variables that `code` declares.
 *
 *   number, boolean, string   an unboxed value, and separately whether it is NULL (undefined: never)
 *   timestamp                 its milliseconds, and separately whether it is NULL
 *   text                      a row of a text column, not yet a string: `column` is the column's variable
 *   any                       a SqlValue, null included
 */
interface Fragment {
  readonly code: string;
  readonly form: "number" | "timestamp" | "boolean" | "string" | "text" | "any";
  readonly value: string;
  readonly isNull: string | undefined;
  readonly column?: string;
  /** Of a string that is a literal, the constant that is its UTF-8. */
  readonly utf8?: string;
}

/**
 * Generates the code. Names are made here (v1, c2, k3), and everything that comes from the query
 * (literals, functions, types) is passed in as a constant, never written into the code.
 */
export function generateKernel(
  expression: Expression,
  columns: readonly Column[],
  mode: "fast" | "careful",
): Kernel {
  const generator = new Generator(columns, mode === "fast");
  const body = generator.body(expression);
  const names = [...generator.constants.keys()];
  const runtime = { textAt, valueAt, compareText, evaluateFunction, cast, columnOfValues, equalBytes, truth };
  // Names and text are made by the generator alone.
  const build = new Function(
    "runtime",
    "constants",
    `"use strict";
const { textAt, valueAt, compareText, evaluateFunction, cast, columnOfValues, equalBytes, truth } = runtime;
const [${names.join(", ")}] = constants;
return function (rowCount, weights, columns, evaluation) {
${body}
};`,
  ) as (tools: typeof runtime, constants: readonly unknown[]) => Kernel;
  return build(runtime, [...generator.constants.values()]);
}

/** Compares a row of a text column with a literal, without making a string. */
function equalBytes(bytes: Uint8Array, start: number, end: number, literal: Uint8Array): boolean {
  if (end - start !== literal.length) return false;
  for (let i = 0; i < literal.length; i++) if (bytes[start + i] !== literal[i]) return false;
  return true;
}

/** An operand of AND, OR: 0 FALSE, 1 TRUE, 2 NULL, also of another type, which is an error. */
function truth(value: SqlValue, operator: string, evaluation: Evaluation): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value !== null) evaluation.error(`${operator} needs BOOLEAN operands`);
  return 2;
}

const arithmeticOperators = new Map([
  ["+", "+"],
  ["-", "-"],
  ["*", "*"],
]);
const comparisonOperators = new Map([
  ["=", "==="],
  ["<>", "!=="],
  ["<", "<"],
  ["<=", "<="],
  [">", ">"],
  [">=", ">="],
]);
const giveUp = "return undefined;";

class Generator {
  /** Values that the generated code refers to, by the names it uses. */
  readonly constants = new Map<string, unknown>();
  readonly #columns: readonly Column[];
  readonly #fast: boolean;
  readonly #head = new Map<number, string>();
  #names = 0;
  #callsTable = false;

  constructor(columns: readonly Column[], fast: boolean) {
    this.#columns = columns;
    this.#fast = fast;
  }

  body(expression: Expression): string {
    const result = this.#compile(expression);
    const loop = (before: string, each: string, after: string): string => `
${[...this.#head.values()].join("\n")}
${before}
for (let i = 0; i < rowCount; i++) {
${this.#callsTable ? "if (weights !== undefined) evaluation.inserting = weights[i] > 0;" : ""}
${result.code}
${each}
}
${after}`;
    if (result.form === "number" || result.form === "timestamp" || result.form === "boolean") {
      const [array, kind] =
        result.form === "boolean"
          ? ["Uint8Array", "boolean"]
          : ["Float64Array", result.form === "number" ? "float64" : "timestamp"];
      const value = result.form === "boolean" ? `${result.value} ? 1 : 0` : result.value;
      const each =
        result.isNull === undefined
          ? `out[i] = ${value};`
          : `if (${result.isNull}) { nulls ??= new Uint8Array(rowCount); nulls[i] = 1; } else out[i] = ${value};`;
      return loop(
        `const out = new ${array}(rowCount); let nulls;`,
        each,
        `return { kind: "${kind}", values: out, nulls };`,
      );
    }
    return loop(
      "const out = new Array(rowCount);",
      `out[i] = ${boxed(result)};`,
      "return columnOfValues(out);",
    );
  }

  #compile(expression: Expression): Fragment {
    switch (expression.kind) {
      case "literal":
        return this.#literal(expression.value);
      case "column":
        return this.#column(expression.index);
      case "call":
        return this.#call(expression);
      case "and":
      case "or":
        return this.#logic(expression.kind, expression.args);
      case "case":
        return this.#case(expression);
      case "cast":
        return this.#cast(expression.operand, expression.type);
    }
  }

  #name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }

  #constant(value: unknown): string {
    const name = this.#name("k");
    this.constants.set(name, value);
    return name;
  }

  #literal(value: SqlValue): Fragment {
    const name = this.#constant(value);
    const form = typeof value;
    if (form === "number" || form === "boolean") return { code: "", form, value: name, isNull: undefined };
    if (typeof value === "string") {
      return {
        code: "",
        form: "string",
        value: name,
        isNull: undefined,
        utf8: this.#constant(Buffer.from(value)),
      };
    }
    if (this.#fast && isTimestamp(value)) {
      return { code: "", form: "timestamp", value: this.#constant(value.ms), isNull: undefined };
    }
    return { code: "", form: "any", value: name, isNull: undefined };
  }

  #column(index: number): Fragment {
    const column = must(this.#columns[index], "an expression refers to columns of its input");
    const name = `c${index}`;
    if (!this.#fast || column.kind === "record") {
      this.#head.set(index, `const ${name} = columns[${index}];`);
      const value = this.#name("v");
      return { code: `const ${value} = valueAt(${name}, i);`, form: "any", value, isNull: undefined };
    }
    const hasNulls = column.kind !== "any" && column.nulls !== undefined;
    this.#head.set(
      index,
      `const ${name} = columns[${index}]; ${
        column.kind === "text"
          ? `const ${name}b = ${name}.bytes, ${name}s = ${name}.starts, ${name}e = ${name}.ends;`
          : `const ${name}v = ${name}.values;`
      } ${hasNulls ? `const ${name}n = ${name}.nulls;` : ""}`,
    );
    const value = this.#name("v");
    const isNull = hasNulls ? `${name}n[i] === 1` : undefined;
    switch (column.kind) {
      case "float64":
        return { code: `const ${value} = ${name}v[i];`, form: "number", value, isNull };
      case "timestamp":
        return { code: `const ${value} = ${name}v[i];`, form: "timestamp", value, isNull };
      case "boolean":
        return { code: `const ${value} = ${name}v[i] === 1;`, form: "boolean", value, isNull };
      case "text":
        return { code: "", form: "text", value: `textAt(${name}, i)`, isNull, column: name };
      case "any":
        return { code: `const ${value} = ${name}v[i];`, form: "any", value, isNull: undefined };
    }
  }

  #call({ function: name, args, type }: Extract<Expression, { kind: "call" }>): Fragment {
    const moved = this.#fast ? this.#movedTime(name, args) : undefined;
    if (moved !== undefined) return moved;
    const operands = args.map((arg) => this.#compile(arg));
    const fast = this.#fast ? this.#fastCall(name, operands, type) : undefined;
    return (
      fast ??
      this.#tableCall(
        must(scalarFunction(name), () => `function ${name} is in the table`),
        operands,
        type,
      )
    );
  }

  /** A TIMESTAMP and a literal INTERVAL; an interval's months count as 30 days, as everywhere. */
  #movedTime(name: string, args: readonly Expression[]): Fragment | undefined {
    const [a, b] = args;
    if ((name !== "+" && name !== "-") || a === undefined || b?.kind !== "literal") return undefined;
    const length = b.value;
    if (typeof length !== "object" || length === null || !("kind" in length)) return undefined;
    if (length.kind !== "interval" || length.months !== 0) return undefined;
    const time = this.#compile(a);
    if (time.form !== "timestamp") return undefined;
    const value = this.#name("v");
    const unless = time.isNull === undefined ? "" : `!(${time.isNull}) && `;
    const code = `${time.code}\nconst ${value} = ${time.value} ${name} ${this.#constant(length.ms)};
if (${unless}!(Math.abs(${value}) <= ${timestampMsMax})) ${giveUp}`;
    return { code, form: "timestamp", value, isNull: time.isNull };
  }

  #tableCall(entry: ScalarFunction, operands: readonly Fragment[], type: SqlType): Fragment {
    this.#callsTable = true;
    const value = this.#name("v");
    const args = `[${operands.map(boxed).join(", ")}]`;
    const call = `evaluateFunction(${this.#constant(entry)}, ${args}, evaluation, ${this.#constant(type)})`;
    return { code: `${codeOf(operands)}const ${value} = ${call};`, form: "any", value, isNull: undefined };
  }

  /** The call without the table, where the forms of the operands leave no doubt about what it does. */
  #fastCall(name: string, operands: readonly Fragment[], type: SqlType): Fragment | undefined {
    const [a, b] = operands;
    const code = codeOf(operands);
    if (a === undefined) return undefined;
    const isNull = anyNull(operands);
    if (name === "IS NULL" || name === "IS NOT NULL") {
      const test = a.form === "any" ? `${a.value} === null` : (a.isNull ?? "false");
      return {
        code,
        form: "boolean",
        value: name === "IS NULL" ? `(${test})` : `!(${test})`,
        isNull: undefined,
      };
    }
    if (name === "NOT" && a.form === "boolean")
      return { code, form: "boolean", value: `!(${a.value})`, isNull };
    if (operands.length !== 2 || b === undefined) return undefined;
    if (a.form === "number" && b.form === "number") return this.#numbers(name, a, b, code, isNull, type);
    const comparison = comparisonOperators.get(name);
    if (comparison === undefined) return undefined;
    if (a.form === b.form && (a.form === "boolean" || a.form === "timestamp")) {
      return { code, form: "boolean", value: `(${a.value} ${comparison} ${b.value})`, isNull };
    }
    if (isText(a) && isText(b))
      return { code, form: "boolean", value: compareTexts(name, comparison, a, b), isNull };
    return undefined;
  }

  #numbers(
    name: string,
    a: Fragment,
    b: Fragment,
    code: string,
    isNull: string | undefined,
    type: SqlType,
  ): Fragment | undefined {
    const comparison = comparisonOperators.get(name);
    if (comparison !== undefined) {
      return { code, form: "boolean", value: `(${a.value} ${comparison} ${b.value})`, isNull };
    }
    const value = this.#name("v");
    // NULL rows hold any number; they must not make the kernel give up.
    const unless = isNull === undefined ? "" : `!(${isNull}) && `;
    const arithmetic = arithmeticOperators.get(name);
    if (arithmetic !== undefined) {
      // Beyond the safe integers the result may be exact as a bigint, unless it is a FLOAT; + 0 makes -0 to 0.
      const most = type.kind === "float" ? "1.7976931348623157e308" : "9007199254740991";
      const check = `if (${unless}!(${value} <= ${most} && ${value} >= -${most})) ${giveUp}`;
      return {
        code: `${code}const ${value} = ${a.value} ${arithmetic} ${b.value} + 0; ${check}`,
        form: "number",
        value,
        isNull,
      };
    }
    const divided =
      name === "/"
        ? `${a.value} / ${b.value}`
        : name === "DIV"
          ? `Math.trunc(${a.value} / ${b.value})`
          : name === "%"
            ? `${a.value} % ${b.value}`
            : undefined;
    if (divided === undefined) return undefined;
    const check = `if (${unless}(${b.value} === 0 || !Number.isFinite(${value}))) ${giveUp}`;
    return { code: `${code}const ${value} = ${divided} + 0; ${check}`, form: "number", value, isNull };
  }

  /** Three-valued; stops at the operand that decides. `state`: 0 FALSE, 1 TRUE, 2 NULL. */
  #logic(kind: "and" | "or", args: readonly Expression[]): Fragment {
    const state = this.#name("v");
    const [neutral, deciding] = kind === "and" ? [1, 0] : [0, 1];
    let code = `let ${state} = ${neutral}; ${state}_: {\n`;
    for (const arg of args) {
      const operand = this.#compile(arg);
      const value = this.#name("v");
      code += `{ ${operand.code}\nconst ${value} = ${this.#operandState(operand, kind)};\n`;
      code += `if (${value} === ${deciding}) { ${state} = ${deciding}; break ${state}_; }\n`;
      code += `if (${value} === 2) ${state} = 2; }\n`;
    }
    code += "}\n";
    return { code, form: "boolean", value: `(${state} === 1)`, isNull: `(${state} === 2)` };
  }

  /** 0 FALSE, 1 TRUE, 2 NULL. */
  #operandState(operand: Fragment, kind: "and" | "or"): string {
    if (operand.form === "boolean") {
      const known = `${operand.value} ? 1 : 0`;
      return operand.isNull === undefined ? `(${known})` : `(${operand.isNull} ? 2 : ${known})`;
    }
    this.#callsTable = true;
    return `truth(${boxed(operand)}, "${kind.toUpperCase()}", evaluation)`;
  }

  #case(expression: Extract<Expression, { kind: "case" }>): Fragment {
    const branches = expression.branches.map(({ when, then }) => ({
      when: this.#compile(when),
      then: this.#compile(then),
    }));
    const otherwise = this.#compile(expression.otherwise);
    const results = [...branches.map((branch) => branch.then), otherwise];
    const form = commonForm(results);
    const value = this.#name("v");
    const isNull = this.#name("v");
    const assign = (result: Fragment): string => {
      const given = form === "any" ? boxed(result) : result.value;
      return `${result.code}\n${value} = ${given}; ${form === "any" ? "" : `${isNull} = ${result.isNull ?? "false"};`}`;
    };
    let code = `let ${value}, ${isNull} = false; ${value}_: {\n`;
    for (const { when, then } of branches) {
      code += `{ ${when.code}\nif (${isTrue(when)}) { ${assign(then)}\nbreak ${value}_; } }\n`;
    }
    code += `${assign(otherwise)}\n}\n`;
    return { code, form, value, isNull: form === "any" ? undefined : isNull };
  }

  #cast(operand: Expression, type: SqlType): Fragment {
    const inner = this.#compile(operand);
    if (this.#fast && inner.form === "number") {
      if (type.kind === "float" || type.kind === "dynamic") return inner;
      if (type.kind === "integer") {
        const value = this.#name("v");
        const unless = inner.isNull === undefined ? "" : `!(${inner.isNull}) && `;
        const code = `${inner.code}\nconst ${value} = Math.floor(${inner.value}) + 0;
if (${unless}!Number.isSafeInteger(${value})) ${giveUp}`;
        return { code, form: "number", value, isNull: inner.isNull };
      }
    }
    this.#callsTable = true;
    const value = this.#name("v");
    const call = `cast(${boxed(inner)}, ${this.#constant(type)}, evaluation)`;
    return { code: `${inner.code}\nconst ${value} = ${call};`, form: "any", value, isNull: undefined };
  }
}

function codeOf(operands: readonly Fragment[]): string {
  return operands.map((operand) => `${operand.code}\n`).join("");
}

/** The fragment's value as a SqlValue. */
function boxed(fragment: Fragment): string {
  const { form, isNull } = fragment;
  const value = form === "timestamp" ? `{ kind: "timestamp", ms: ${fragment.value} }` : fragment.value;
  return isNull === undefined ? value : `(${isNull} ? null : ${value})`;
}

function anyNull(operands: readonly Fragment[]): string | undefined {
  assert(operands.length > 0, "there are operands");
  const tests = operands.flatMap((operand) => (operand.isNull === undefined ? [] : [operand.isNull]));
  return tests.length === 0 ? undefined : `(${tests.join(" || ")})`;
}

function isTrue(condition: Fragment): string {
  if (condition.form !== "boolean") return `${boxed(condition)} === true`;
  return condition.isNull === undefined ? condition.value : `(!(${condition.isNull}) && ${condition.value})`;
}

function isText(fragment: Fragment): boolean {
  return fragment.form === "text" || fragment.form === "string";
}

function compareTexts(name: string, comparison: string, a: Fragment, b: Fragment): string {
  if (name !== "=" && name !== "<>") return `(compareText(${a.value}, ${b.value}) ${comparison} 0)`;
  const [text, literal] = a.form === "text" ? [a, b] : [b, a];
  if (text.column !== undefined && literal.utf8 !== undefined) {
    const { column } = text;
    const equal = `equalBytes(${column}b, ${column}s[i], ${column}e[i], ${literal.utf8})`;
    return name === "=" ? equal : `!${equal}`;
  }
  return `(${a.value} ${comparison} ${b.value})`;
}

function commonForm(results: readonly Fragment[]): Fragment["form"] {
  const forms = new Set(results.map((result) => (result.form === "text" ? "string" : result.form)));
  const [only] = forms;
  return forms.size === 1 && only !== undefined ? only : "any";
}
