import type { Expression, SqlType } from "@hstream/sql/runtime";
import {
  anyNull,
  Choice,
  type CodeMaker,
  codeOf,
  comparisonOperators,
  type Fragment,
  giveUp,
  isText,
  type Span,
  spanOf,
  unlessNull,
} from "./fragment.js";
import { decimals } from "./fast-decimals.js";

const arithmeticOperators = new Set(["+", "-", "*"]);
/** The call without the table, where the forms of the operands leave no doubt about what it does. */
export function fastCall(
  maker: CodeMaker,
  { function: name, type }: Extract<Expression, { kind: "call" }>,
  operands: readonly Fragment[],
): Fragment | undefined {
  const [a, b] = operands;
  if (a === undefined) return undefined;
  const code = codeOf(operands);
  const isNull = anyNull(operands);
  const boolean = (value: string): Fragment => ({ code, form: "boolean", value, isNull });
  switch (name) {
    case "IS NULL":
    case "IS NOT NULL": {
      const test =
        a.form === "any" ? `${a.value} === null` : a.form === "null" ? "true" : (a.isNull ?? "false");
      return { ...boolean(name === "IS NULL" ? `(${test})` : `!(${test})`), isNull: undefined };
    }
    case "NOT":
      return a.form === "boolean" ? boolean(`!(${a.value})`) : undefined;
    case "BETWEEN":
    case "IN":
      return among(maker, name, operands);
    case "IFNULL":
    case "COALESCE":
      return firstPresent(maker, operands);
    case "STRLEN": {
      if (a.span === undefined) return undefined;
      const value = maker.name("v");
      const count = `const ${value} = charsIn(${a.span.bytes}, ${a.span.start}, ${a.span.end});`;
      return { code: `${code}${count}`, form: "number", value, isNull, isInteger: true };
    }
    case "HOUR":
      return a.form === "timestamp" ? partOfDay(maker, a, 86_400_000, 3_600_000) : undefined;
    case "MINUTE":
      return a.form === "timestamp" ? partOfDay(maker, a, 3_600_000, 60_000) : undefined;
    case "SECOND":
      return a.form === "timestamp" ? partOfDay(maker, a, 60_000, 1000) : undefined;
  }
  if (operands.length !== 2 || b === undefined) return undefined;
  if (a.form === "number" && b.form === "number") return numbers(maker, name, a, b, type);
  if (a.form === "decimal" || b.form === "decimal") return decimals(maker, name, a, b, type);
  if (name === "[]" && a.form === "textList") return element(maker, a, b);
  const comparison = comparisonOperators.get(name);
  if (comparison === undefined) return undefined;
  if (a.form === b.form && (a.form === "boolean" || a.form === "timestamp")) {
    return boolean(`(${a.value} ${comparison} ${b.value})`);
  }
  return isText(a) && isText(b) ? boolean(compareTexts(name, comparison, a, b)) : undefined;
}

function numbers(
  maker: CodeMaker,
  name: string,
  a: Fragment,
  b: Fragment,
  type: SqlType,
): Fragment | undefined {
  const code = codeOf([a, b]);
  const isNull = anyNull([a, b]);
  const comparison = comparisonOperators.get(name);
  if (comparison !== undefined) {
    return { code, form: "boolean", value: `(${a.value} ${comparison} ${b.value})`, isNull };
  }
  const value = maker.name("v");
  const unless = unlessNull(isNull);
  if (arithmeticOperators.has(name)) {
    // Beyond the safe integers the result may be exact as a bigint, unless it is a FLOAT; + 0 makes -0 to 0.
    const most = type.kind === "float" ? "1.7976931348623157e308" : "9007199254740991";
    const check = `if (${unless}!(${value} <= ${most} && ${value} >= -${most})) ${giveUp}`;
    return {
      code: `${code}const ${value} = ${a.value} ${name} ${b.value} + 0; ${check}`,
      form: "number",
      value,
      isNull,
      isInteger: a.isInteger === true && b.isInteger === true && type.kind !== "float",
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

/** x BETWEEN a AND b, x IN (a, b, …), where only x may be NULL: the answer is, exactly where x is. */
function among(
  maker: CodeMaker,
  name: "BETWEEN" | "IN",
  operands: readonly Fragment[],
): Fragment | undefined {
  const [x, ...others] = operands;
  if (x === undefined || others.length === 0 || others.some(({ isNull }) => isNull !== undefined))
    return undefined;
  const areNumbers = operands.every(({ form }) => form === "number");
  const areTimes = operands.every(({ form }) => form === "timestamp");
  const areTexts = operands.every(isText);
  if (!areNumbers && !areTimes && !areTexts) return undefined;
  const compare = (operator: string, other: Fragment): string => {
    const comparison = comparisonOperators.get(operator) ?? "";
    return areTexts
      ? compareTexts(operator, comparison, x, other)
      : `(${x.value} ${comparison} ${other.value})`;
  };
  const [low, high] = others;
  const tests =
    name === "IN"
      ? others.map((other) => compare("=", other)).join(" || ")
      : low !== undefined && high !== undefined && others.length === 2
        ? `${compare(">=", low)} && ${compare("<=", high)}`
        : undefined;
  if (tests === undefined) return undefined;
  const value = maker.name("v");
  // Of a NULL row there may be no text.
  const code = `${codeOf(operands)}const ${value} = ${unlessNull(x.isNull)}(${tests});`;
  return { code, form: "boolean", value, isNull: x.isNull };
}

/** All are evaluated, as by the table: an error in any is reported. */
function firstPresent(maker: CodeMaker, operands: readonly Fragment[]): Fragment | undefined {
  const choice = new Choice(operands, maker);
  if (choice.form === "any") return undefined;
  const label = maker.name("l");
  let code = `${codeOf(operands)}${choice.declaration} ${label}: {\n`;
  for (const operand of operands) {
    const { isNull, form } = operand;
    code += choice.assign({ ...operand, code: "" });
    if (form !== "null")
      code += isNull === undefined ? `break ${label};\n` : `if (!(${isNull})) break ${label};\n`;
  }
  return choice.fragment(`${code}}\n`);
}

function partOfDay(maker: CodeMaker, time: Fragment, whole: number, part: number): Fragment {
  const value = maker.name("v");
  const code = `${time.code}\nconst ${value} = Math.floor((((Math.trunc(${time.value}) % ${whole}) + ${whole}) % ${whole}) / ${part});`;
  return { code, form: "number", value, isNull: time.isNull, isInteger: true };
}

/** Of a position outside of the list the error is reported, as by the table. */
function element(maker: CodeMaker, list: Fragment, position: Fragment): Fragment | undefined {
  const { column } = list;
  if (column === undefined || !Number.isSafeInteger(position.literal)) return undefined;
  const at = position.value;
  maker.callsTable();
  const item = maker.name("v");
  const isNull = maker.name("v");
  const length = `${column}e[i] - ${column}s[i]`;
  const code = `${list.code}\nlet ${item} = ${column}s[i] + ${at}, ${isNull} = ${list.isNull ?? "false"};
if (!${isNull} && (${at} < 0 || ${at} >= ${length})) {
  evaluation.error("array position " + ${at} + " is outside 0 to " + (${length} - 1)); ${isNull} = true;
}
if (${isNull}) ${item} = 0;`;
  const span: Span = {
    bytes: `${column}.items.bytes`,
    start: `${column}.items.starts[${item}]`,
    end: `${column}.items.ends[${item}]`,
    isFixed: true,
  };
  const value = `textIn(${span.bytes}, ${span.start}, ${span.end})`;
  return { code, form: "text", value, isNull, span };
}

function compareTexts(name: string, comparison: string, a: Fragment, b: Fragment): string {
  if (name !== "=" && name !== "<>") return `(compareText(${a.value}, ${b.value}) ${comparison} 0)`;
  const [left, right] = [spanOf(a), spanOf(b)];
  if (left === undefined || right === undefined) return `(${a.value} ${comparison} ${b.value})`;
  const spans = [left, right].map(({ bytes, start, end }) => `${bytes}, ${start}, ${end}`).join(", ");
  return `${name === "=" ? "" : "!"}equalBytes(${spans})`;
}
