import type { SqlType } from "../types/sql-type.js";
import { commonType, DYNAMIC, STRING } from "../types/types.js";
import { valueKind } from "../values/value-kind.js";
import { define } from "./define.js";
import type { ScalarFunction } from "./function.js";

const either = (args: readonly SqlType[]): SqlType => commonType(args.slice(1)) ?? DYNAMIC;

export const moreGeneralFunctions: readonly ScalarFunction[] = [
  define({
    name: "IF",
    aliases: ["IIF"],
    parameters: ["boolean", "any", "any"],
    result: (args) =>
      either(args).kind === args[1]?.kind && args[1].kind === args[2]?.kind ? either(args) : DYNAMIC,
    takesNulls: true,
    evaluate: ([condition = null, x = null, y = null]) => (condition === true ? x : y),
    help: "x where the condition is TRUE, else y. Both are computed; CASE computes the one that it gives.",
    examples: [
      ["IF(2 > 1, 'a', 'b')", "a"],
      ["IF(NULL, 1, 2)", "2"],
    ],
  }),
  define({
    name: "TYPEOF",
    parameters: ["any"],
    result: STRING,
    takesNulls: true,
    evaluate: ([value = null]) => valueKind(value).toUpperCase(),
    help: "The name of the value's type.",
    examples: [
      ["TYPEOF(1.5)", "FLOAT"],
      ["TYPEOF([1])", "ARRAY"],
    ],
  }),
];
