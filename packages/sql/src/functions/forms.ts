import type { SpecialForm } from "./function.js";

/** Syntax with a meaning of its own; the evaluator and the compiler know these by the kind of expression. */
export const specialForms: readonly SpecialForm[] = [
  {
    kind: "form",
    name: "AND",
    aliases: ["&&"],
    help: "TRUE if all operands are, FALSE if one is FALSE, else NULL.",
    examples: [
      { sql: "FALSE AND NULL", result: "FALSE" },
      { sql: "TRUE && NULL", result: "NULL" },
    ],
  },
  {
    kind: "form",
    name: "OR",
    help: "TRUE if one operand is, FALSE if all are FALSE, else NULL.",
    examples: [
      { sql: "TRUE OR NULL", result: "TRUE" },
      { sql: "FALSE || TRUE", result: "TRUE" },
    ],
  },
  {
    kind: "form",
    name: "CASE",
    help: "The value of the first branch whose condition is TRUE; ELSE's, or NULL, when none is.",
    examples: [
      { sql: "CASE WHEN 1 > 2 THEN 'a' ELSE 'b' END", result: "b" },
      { sql: "CASE 3 WHEN 1 THEN 'one' END", result: "NULL" },
    ],
  },
  {
    kind: "form",
    name: "CAST",
    aliases: ["::"],
    help: "CAST(x AS type) or x::type. A FLOAT becomes an INTEGER by its floor.",
    examples: [
      { sql: "CAST('12' AS INTEGER)", result: "12" },
      { sql: "-1.5 :: INTEGER", result: "-2" },
      { sql: "'x' :: INTEGER", result: "error" },
      { sql: "CAST(NULL AS STRING)", result: "NULL" },
    ],
  },
];
