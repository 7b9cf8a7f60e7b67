import type { SqlType } from "../types/sql-type.js";
import { commonType, DYNAMIC, FLOAT, INTEGER } from "../types/types.js";
import { firstResult, type Family, type WindowFunction } from "./function.js";

const exampleRows = "10, 20, 20, NULL";

function windowOf(
  name: string,
  parameters: readonly Family[],
  optional: number,
  result: SqlType | ((args: readonly SqlType[]) => SqlType),
  help: string,
  sql: string,
  expected: string,
): WindowFunction {
  const examples = [{ sql, result: expected }];
  return { kind: "window", name, parameters, optional, result, help, exampleRows, examples };
}

/** x or the default. */
const shifted = (args: readonly SqlType[]): SqlType =>
  commonType([args[0] ?? DYNAMIC, args[2] ?? args[0] ?? DYNAMIC]) ?? DYNAMIC;

/** NULLs stand last, as everywhere. */
const byX = "OVER (ORDER BY x)";

export const windowFunctions: readonly WindowFunction[] = [
  windowOf("ROW_NUMBER", [], 0, INTEGER, "Position of the row, from 1.", `ROW_NUMBER() ${byX}`, "1, 2, 3, 4"),
  windowOf(
    "RANK",
    [],
    0,
    INTEGER,
    "Position of the first row that is equal in order.",
    `RANK() ${byX}`,
    "1, 2, 2, 4",
  ),
  windowOf("DENSE_RANK", [], 0, INTEGER, "Like RANK, without gaps.", `DENSE_RANK() ${byX}`, "1, 2, 2, 3"),
  windowOf(
    "PERCENT_RANK",
    [],
    0,
    FLOAT,
    "(RANK - 1) / (rows - 1); 0 where there is one row.",
    `ROUND(PERCENT_RANK() ${byX} * 3)`,
    "0, 1, 1, 3",
  ),
  windowOf(
    "CUME_DIST",
    [],
    0,
    FLOAT,
    "Part of the rows up to this one.",
    `CUME_DIST() ${byX}`,
    "0.25, 0.75, 0.75, 1",
  ),
  windowOf(
    "NTILE",
    ["integer"],
    0,
    INTEGER,
    "The part, of n as equal as can be, that the row is in.",
    `NTILE(2) ${byX}`,
    "1, 1, 2, 2",
  ),
  windowOf(
    "LAG",
    ["any", "integer", "any"],
    2,
    shifted,
    "x of the row n before (1), or the default (NULL).",
    `LAG(x, 1, 0) ${byX}`,
    "0, 10, 20, 20",
  ),
  windowOf(
    "LEAD",
    ["any", "integer", "any"],
    2,
    shifted,
    "x of the row n behind (1), or the default (NULL).",
    `LEAD(x) ${byX}`,
    "20, 20, NULL, NULL",
  ),
  windowOf(
    "FIRST_VALUE",
    ["any"],
    0,
    firstResult,
    "x of the first row of the frame.",
    `FIRST_VALUE(x) ${byX}`,
    "10, 10, 10, 10",
  ),
  windowOf(
    "LAST_VALUE",
    ["any"],
    0,
    firstResult,
    "x of the last row of the frame.",
    `LAST_VALUE(x) ${byX}`,
    "10, 20, 20, NULL",
  ),
  windowOf(
    "NTH_VALUE",
    ["any", "integer"],
    0,
    firstResult,
    "x of the n-th row of the frame, from 1.",
    `NTH_VALUE(x, 2) ${byX}`,
    "NULL, 20, 20, 20",
  ),
];
