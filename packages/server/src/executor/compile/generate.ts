import { must, unreachable } from "@hstream/proto";
import {
  cast,
  compareText,
  evaluateFunction,
  type Expression,
  isDecimal,
  type ScalarFunction,
  scalarFunction,
  type SqlType,
  type SqlValue,
  timestampMsMax,
} from "@hstream/sql/runtime";
import { type Column, columnOfValues, decimalOf, isTimestamp, textIn, valueAt } from "../columns.js";
import { columnFunctions } from "./column-functions.js";
import type { Evaluation } from "./evaluation.js";
import { fastCall } from "./fast-calls.js";
import {
  boxed,
  Choice,
  type CodeMaker,
  codeOf,
  type Fragment,
  giveUp,
  isText,
  isTrue,
  noBytes,
  spanOf,
  unlessNull,
} from "./fragment.js";
import { TextBuilder } from "./text-builder.js";

/** Computes the expression for `rowCount` rows; undefined when it gave up (fast kernels only). */
export type Kernel = (
  rowCount: number,
  weights: Int32Array | undefined,
  columns: readonly Column[],
  evaluation: Evaluation,
) => Column | undefined;

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
  // Names and text are made by the generator alone.
  const build = new Function(
    "runtime",
    "constants",
    `"use strict";
const { ${Object.keys(runtime).join(", ")} } = runtime;
const [${names.join(", ")}] = constants;
return function (rowCount, weights, columns, evaluation) {
${body}
};`,
  ) as (tools: typeof runtime, constants: readonly unknown[]) => Kernel;
  return build(runtime, [...generator.constants.values()]);
}

/** Compares two texts without making strings. */
function equalBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  const length = aEnd - aStart;
  if (bEnd - bStart !== length) return false;
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Whether a text in lower (or upper) case is that literal; what is not ASCII is left to JavaScript. */
function equalInCase(
  bytes: Buffer,
  start: number,
  end: number,
  literal: string,
  utf8: Uint8Array,
  toLower: boolean,
): boolean {
  const length = utf8.length | 0;
  for (let i = 0; start + i < end; i = (i + 1) | 0) {
    const byte = bytes[start + i] as number;
    if (byte >= 0x80) {
      const text = textIn(bytes, start, end);
      return (toLower ? text.toLowerCase() : text.toUpperCase()) === literal;
    }
    const isOther = toLower ? byte >= 0x41 && byte <= 0x5a : byte >= 0x61 && byte <= 0x7a;
    if (i >= length || (isOther ? byte ^ 0x20 : byte) !== utf8[i]) return false;
  }
  return end - start === length;
}

/** Number of characters; what is not ASCII is counted as the function table does it. */
function charsIn(bytes: Buffer, start: number, end: number): number {
  let all = 0;
  for (let at = start; at < end; at++) all |= bytes[at] as number;
  return all < 0x80 ? end - start : [...textIn(bytes, start, end)].length;
}

/** An operand of AND, OR: 0 FALSE, 1 TRUE, 2 NULL, also of another type, which is an error. */
function truth(value: SqlValue, operator: string, evaluation: Evaluation): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value !== null) evaluation.error(`${operator} needs BOOLEAN operands`);
  return 2;
}

/** What generated code may use. */
const runtime = {
  ...{ valueAt, textIn, decimalOf, columnOfValues, compareText, evaluateFunction, cast },
  ...{ equalBytes, equalInCase, charsIn, truth, TextBuilder, [noBytes]: Buffer.alloc(0) },
};

class Generator implements CodeMaker {
  /** Values that the generated code refers to, by the names it uses. */
  readonly constants = new Map<string, unknown>();
  readonly #columns: readonly Column[];
  readonly #fast: boolean;
  /** What stands before the loop, by the column that it makes known; in order. */
  readonly #head = new Map<string, string>();
  /** Columns made by a function, by what it was made of. */
  readonly #made = new Map<string, Fragment>();
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
    if (result.column !== undefined && result.code === "") {
      return `${[...this.#head.values()].join("\n")}\nreturn ${result.column};`;
    }
    const kind = {
      number: "float64",
      timestamp: "timestamp",
      boolean: "boolean",
      decimal: "decimal",
    } as const;
    const { form, isNull } = result;
    if (form === "number" || form === "timestamp" || form === "boolean" || form === "decimal") {
      const value = form === "boolean" ? `${result.value} ? 1 : 0` : result.value;
      const each =
        isNull === undefined
          ? `out[i] = ${value};`
          : `if (${isNull}) { nulls ??= new Uint8Array(rowCount); nulls[i] = 1; } else out[i] = ${value};`;
      const scale = form === "decimal" ? `, scale: ${result.scale ?? 0}` : "";
      return loop(
        `const out = new ${form === "boolean" ? "Uint8Array" : "Float64Array"}(rowCount); let nulls;`,
        each,
        `return { kind: "${kind[form]}", values: out${scale}, nulls };`,
      );
    }
    const span = form === "text" ? spanOf(result) : undefined;
    if (span !== undefined) {
      if (span.isFixed === true) {
        const put = `starts[i] = ${span.start}; ends[i] = ${span.end};`;
        const nulls = "nulls ??= new Uint8Array(rowCount); nulls[i] = 1;";
        return loop(
          "const starts = new Int32Array(rowCount), ends = new Int32Array(rowCount); let nulls;",
          isNull === undefined ? put : `if (${isNull}) { ${nulls} } else { ${put} }`,
          `return { kind: "text", bytes: ${span.bytes}, starts, ends, nulls };`,
        );
      }
      const add = `out.add(i, ${span.bytes}, ${span.start}, ${span.end});`;
      const each = isNull === undefined ? add : `if (${isNull}) out.addNull(i); else ${add}`;
      return loop("const out = new TextBuilder(rowCount, 8 * rowCount);", each, "return out.finish();");
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
        return this.#column(expression.index, expression.type);
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

  name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }

  constant(value: unknown): string {
    const name = this.name("k");
    this.constants.set(name, value);
    return name;
  }

  callsTable(): void {
    this.#callsTable = true;
  }

  #literal(value: SqlValue): Fragment {
    const name = this.constant(value);
    const form = typeof value;
    const common = { code: "", value: name, isNull: undefined };
    if (value === null && this.#fast) return { ...common, form: "null", isNull: "true" };
    if (typeof value === "number") return { ...common, form: "number", literal: value };
    if (form === "boolean") return { ...common, form };
    if (typeof value === "string") {
      return {
        code: "",
        form: "string",
        value: name,
        isNull: undefined,
        utf8: this.constant(Buffer.from(value)),
      };
    }
    if (this.#fast && isTimestamp(value)) {
      return { ...common, form: "timestamp", value: this.constant(value.ms) };
    }
    if (this.#fast && isDecimal(value) && Number.isSafeInteger(Number(value.unscaled))) {
      const { unscaled, scale } = value;
      return { ...common, form: "decimal", value: this.constant(Number(unscaled)), scale };
    }
    return { ...common, form: "any" };
  }

  #column(index: number, type: SqlType): Fragment {
    const column = must(this.#columns[index], "an expression refers to columns of its input");
    const name = `c${index}`;
    if (!this.#fast || column.kind === "record") {
      this.#head.set(name, `const ${name} = columns[${index}];`);
      const value = this.name("v");
      return { code: `const ${value} = valueAt(${name}, i);`, form: "any", value, isNull: undefined };
    }
    const { kind } = column;
    if (kind === "text" || kind === "textList") {
      const isNullable = column.nulls !== undefined;
      return this.#spanned(name, `columns[${index}]`, kind, isNullable ? `${name}n[i] === 1` : undefined);
    }
    const hasNulls = kind !== "any" && column.nulls !== undefined;
    const nulls = hasNulls ? `const ${name}n = ${name}.nulls;` : "";
    this.#head.set(name, `const ${name} = columns[${index}]; const ${name}v = ${name}.values; ${nulls}`);
    const value = this.name("v");
    const isNull = hasNulls ? `${name}n[i] === 1` : undefined;
    const read = { code: `const ${value} = ${name}v[i];`, value, isNull };
    switch (kind) {
      case "float64":
        return { ...read, form: "number", isInteger: type.kind === "integer" };
      case "decimal":
        return { ...read, form: "decimal", scale: column.scale };
      case "timestamp":
        return { ...read, form: "timestamp", column: name };
      case "boolean":
        return { ...read, form: "boolean", code: `const ${value} = ${name}v[i] === 1;` };
      case "any":
        return { ...read, form: "any" };
      default:
        return unreachable(column);
    }
  }

  /** A column of texts, or of lists of texts, as the variable `name`. */
  #spanned(name: string, made: string, form: "text" | "textList", isNull: string | undefined): Fragment {
    const parts = `${name}s = ${name}.starts, ${name}e = ${name}.ends, ${name}n = ${name}.nulls`;
    const bytes = form === "text" ? `, ${name}b = ${name}.bytes` : "";
    this.#head.set(
      name,
      `const ${name} = ${made};\nif (${name} === undefined) ${giveUp}\nconst ${parts}${bytes};`,
    );
    if (form === "textList") return { code: "", form, value: `valueAt(${name}, i)`, isNull, column: name };
    const span = { bytes: `${name}b`, start: `${name}s[i]`, end: `${name}e[i]` };
    const value = `textIn(${span.bytes}, ${span.start}, ${span.end})`;
    return { code: "", form, value, isNull, column: name, span };
  }

  /** Of functions of a column and literals, for all rows at once, before the loop. */
  #columnCall(name: string, args: readonly Expression[]): Fragment | undefined {
    const entry = columnFunctions.get(name);
    const operand = entry && args[entry.argument];
    if (entry === undefined || operand === undefined) return undefined;
    const literals = args.filter((arg) => arg !== operand);
    const values = literals.flatMap((literal) => {
      const value = literal.kind === "literal" ? literal.value : undefined;
      return typeof value === "string" || typeof value === "number" ? [value] : [];
    });
    const of = this.#compile(operand);
    if (values.length < literals.length || of.form !== entry.of) return undefined;
    if (of.column === undefined) return undefined;
    const key = JSON.stringify([name, of.column, ...values]);
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const make = entry.make(values);
    if (make === undefined) return undefined;
    const column = this.name("c_");
    const isNull = `(${column}n !== undefined && ${column}n[i] === 1)`;
    const made = this.#spanned(
      column,
      `${this.constant(make)}(${of.column}, rowCount)`,
      entry.result,
      isNull,
    );
    this.#made.set(key, made);
    return made;
  }

  #call(call: Extract<Expression, { kind: "call" }>): Fragment {
    const { function: name, args, type } = call;
    const whole = this.#fast
      ? (this.#movedTime(name, args) ?? this.#inCase(name, args) ?? this.#columnCall(name, args))
      : undefined;
    if (whole !== undefined) return whole;
    const operands = args.map((arg) => this.#compile(arg));
    const fast = this.#fast ? fastCall(this, call, operands) : undefined;
    return (
      fast ??
      this.#tableCall(
        must(scalarFunction(name), () => `function ${name} is in the table`),
        operands,
        type,
      )
    );
  }

  /** TO_LOWER(x) = 'literal' and the like, IN too: without a text in that case. */
  #inCase(name: string, args: readonly Expression[]): Fragment | undefined {
    const [of, ...literals] = args;
    if ((name !== "=" && name !== "<>" && name !== "IN") || of?.kind !== "call") return undefined;
    const operand = of.args[0];
    if ((of.function !== "TO_LOWER" && of.function !== "TO_UPPER") || operand === undefined) return undefined;
    const texts = literals.flatMap((one) => {
      return one.kind === "literal" && typeof one.value === "string" ? [one.value] : [];
    });
    const text = this.#compile(operand);
    if (texts.length < literals.length || texts.length === 0 || text.span === undefined) return undefined;
    const { bytes, start, end } = text.span;
    const tests = texts.map((one) => {
      const wanted = `${this.constant(one)}, ${this.constant(Buffer.from(one))}`;
      return `equalInCase(${bytes}, ${start}, ${end}, ${wanted}, ${of.function === "TO_LOWER"})`;
    });
    const value = this.name("v");
    const found = `${unlessNull(text.isNull)}(${tests.join(" || ")})`;
    const code = `${text.code}\nconst ${value} = ${name === "<>" ? `!(${found})` : found};`;
    return { code, form: "boolean", value, isNull: text.isNull };
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
    const value = this.name("v");
    const unless = unlessNull(time.isNull);
    const code = `${time.code}\nconst ${value} = ${time.value} ${name} ${this.constant(length.ms)};
if (${unless}!(Math.abs(${value}) <= ${timestampMsMax})) ${giveUp}`;
    return { code, form: "timestamp", value, isNull: time.isNull };
  }

  #tableCall(entry: ScalarFunction, operands: readonly Fragment[], type: SqlType): Fragment {
    this.#callsTable = true;
    const value = this.name("v");
    const args = `[${operands.map(boxed).join(", ")}]`;
    const call = `evaluateFunction(${this.constant(entry)}, ${args}, evaluation, ${this.constant(type)})`;
    return { code: `${codeOf(operands)}const ${value} = ${call};`, form: "any", value, isNull: undefined };
  }

  /** Three-valued; stops at the operand that decides. `state`: 0 FALSE, 1 TRUE, 2 NULL. */
  #logic(kind: "and" | "or", args: readonly Expression[]): Fragment {
    const state = this.name("v");
    const [neutral, deciding] = kind === "and" ? [1, 0] : [0, 1];
    let code = `let ${state} = ${neutral}; ${state}_: {\n`;
    for (const arg of args) {
      const operand = this.#compile(arg);
      const value = this.name("v");
      code += `{ ${operand.code}\nconst ${value} = ${this.#operandState(operand, kind)};\n`;
      code += `if (${value} === ${deciding}) { ${state} = ${deciding}; break ${state}_; }\n`;
      code += `if (${value} === 2) ${state} = 2; }\n`;
    }
    code += "}\n";
    return { code, form: "boolean", value: `(${state} === 1)`, isNull: `(${state} === 2)` };
  }

  /** 0 FALSE, 1 TRUE, 2 NULL. */
  #operandState(operand: Fragment, kind: "and" | "or"): string {
    if (operand.form === "null") return "2";
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
    const choice = new Choice([...branches.map((branch) => branch.then), otherwise], this);
    const label = this.name("l");
    let code = `${choice.declaration} ${label}: {\n`;
    for (const { when, then } of branches) {
      code += `{ ${when.code}\nif (${isTrue(when)}) { ${choice.assign(then)}\nbreak ${label}; } }\n`;
    }
    code += `${choice.assign(otherwise)}\n}\n`;
    return choice.fragment(code);
  }

  #cast(operand: Expression, type: SqlType): Fragment {
    const inner = this.#compile(operand);
    if (this.#fast && inner.form === "number") {
      if (type.kind === "float" || type.kind === "dynamic") return inner;
      if (type.kind === "integer") {
        const value = this.name("v");
        const unless = unlessNull(inner.isNull);
        const code = `${inner.code}\nconst ${value} = Math.floor(${inner.value}) + 0;
if (${unless}!Number.isSafeInteger(${value})) ${giveUp}`;
        return { code, form: "number", value, isNull: inner.isNull, isInteger: true };
      }
    }
    if (isText(inner) && type.kind === "string") return inner;
    this.#callsTable = true;
    const value = this.name("v");
    const call = `cast(${boxed(inner)}, ${this.constant(type)}, evaluation)`;
    return { code: `${inner.code}\nconst ${value} = ${call};`, form: "any", value, isNull: undefined };
  }
}
