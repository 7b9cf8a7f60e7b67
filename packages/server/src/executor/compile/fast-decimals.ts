import type { SqlType } from "@hstream/sql/runtime";
import {
  anyNull,
  type CodeMaker,
  codeOf,
  comparisonOperators,
  type Fragment,
  giveUp,
  unlessNull,
} from "./fragment.js";

/** Digits behind the point; with more of them products soon leave the safe integers. */
const scaleMax = 12;
/**
 * Exact arithmetic and comparison of DECIMALs, and of those with INTEGERs: on whole numbers of their smallest unit,
 * in doubles as long as these are exact, that is up to 2^53. Beyond that the kernel gives up.
 */
export function decimals(
  maker: CodeMaker,
  name: string,
  a: Fragment,
  b: Fragment,
  type: SqlType,
): Fragment | undefined {
  const left = exact(a);
  const right = exact(b);
  if (left === undefined || right === undefined) return undefined;
  const isNull = anyNull([a, b]);
  const unless = unlessNull(isNull);
  const operands = `${codeOf([a, b])}${checked(a)}${checked(b)}`;
  if (name === "*") {
    const scale = left + right;
    if (type.kind === "float" || scale > scaleMax) return undefined;
    const value = maker.name("v");
    const code = `${operands}const ${value} = ${a.value} * ${b.value} + 0;
if (${unless}!(Math.abs(${value}) <= ${Number.MAX_SAFE_INTEGER})) ${giveUp}`;
    return { code, form: "decimal", value, isNull, scale };
  }
  const scale = Math.max(left, right);
  const [x, y] = [maker.name("v"), maker.name("v")];
  const code = `${operands}const ${x} = ${scaled(maker, a, scale - left)}, ${y} = ${scaled(maker, b, scale - right)};
if (${unless}!(Math.abs(${x}) <= ${Number.MAX_SAFE_INTEGER} && Math.abs(${y}) <= ${Number.MAX_SAFE_INTEGER})) ${giveUp}`;
  const comparison = comparisonOperators.get(name);
  if (comparison !== undefined) return { code, form: "boolean", value: `(${x} ${comparison} ${y})`, isNull };
  if ((name !== "+" && name !== "-") || type.kind === "float") return undefined;
  const value = maker.name("v");
  const sum = `${code}\nconst ${value} = ${x} ${name} ${y} + 0;
if (${unless}!(Math.abs(${value}) <= ${Number.MAX_SAFE_INTEGER})) ${giveUp}`;
  return { code: sum, form: "decimal", value, isNull, scale };
}

/** The scale of a number that is exact; undefined of one that may be a FLOAT. */
function exact({ form, scale = 0, isInteger, literal }: Fragment): number | undefined {
  if (form === "decimal") return scale;
  if (form !== "number") return undefined;
  return isInteger === true || (literal !== undefined && Number.isSafeInteger(literal)) ? 0 : undefined;
}

/** The type says INTEGER; a value that is none makes the kernel give up. */
function checked({ form, isNull, value, literal }: Fragment): string {
  if (form === "decimal" || literal !== undefined) return "";
  return `if (${unlessNull(isNull)}!Number.isSafeInteger(${value})) ${giveUp}\n`;
}

function scaled(maker: CodeMaker, operand: Fragment, digits: number): string {
  return digits === 0 ? operand.value : `${operand.value} * ${maker.constant(10 ** digits)}`;
}
