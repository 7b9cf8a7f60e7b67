import assert from "node:assert/strict";
import { evaluate, type Expression, type SqlType, type SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, columnOfValues, valueAt } from "../columns.js";
import { ColumnBuilder } from "../decode/column-builder.js";
import { ErrorLog } from "../error-log.js";
import { CompiledExpression } from "./compiled-expression.js";
import { Evaluation } from "./evaluation.js";

/** A column as the decoder leaves it: texts as UTF-8. */
export function decodedColumn(values: readonly SqlValue[]): Column {
  if (!values.every((value) => value === null || typeof value === "string"))
    return columnOfValues([...values]);
  const pieces = values.map((value) => Buffer.from(typeof value === "string" ? value : ""));
  const builder = new ColumnBuilder(Buffer.concat(pieces), Math.max(1, values.length));
  let at = 0;
  for (const [row, piece] of pieces.entries()) {
    if (values[row] === null) builder.addNull(row);
    else builder.addText(row, at, at + piece.length);
    at += piece.length;
  }
  return builder.finish(values.length);
}

/** Fails unless compiled code gives the values and errors of the tree-walking evaluator; gives the compiled column. */
export function assertAsEvaluated(
  expression: Expression,
  columns: readonly (readonly SqlValue[])[],
  weights: readonly number[] | null = null,
  read: readonly Column[] = columns.map(decodedColumn),
): Column {
  const rows = columns[0]?.length ?? 0;
  const errors = new ErrorLog(1000);
  const batch: ChangeBatch = {
    rowCount: rows,
    columns: read,
    weights: weights === null ? undefined : Int32Array.from(weights),
    updates: undefined,
  };
  const result = new CompiledExpression(expression).evaluate(batch, new Evaluation(errors, 8192));
  const expected: SqlValue[] = [];
  const messages: string[] = [];
  for (let row = 0; row < rows; row++) {
    const error = (message: string): null => {
      if ((weights?.[row] ?? 1) > 0) messages.push(message);
      return null;
    };
    const values = columns.map((column) => column[row] as SqlValue);
    expected.push(evaluate(expression, values, { error, nowMs: 0 }));
  }
  const actual = expected.map((_, row) => valueAt(result, row));
  assert.deepEqual(actual, expected);
  const told = errors.take().first.map(({ message }) => message);
  assert.deepEqual(told, messages);
  return result;
}

export function columnOf(index: number, type: SqlType): Expression {
  return { kind: "column", index, name: `c${index}`, type };
}

export function literalOf(value: SqlValue, type: SqlType): Expression {
  return { kind: "literal", value, type };
}

export function callOf(name: string, type: SqlType, ...args: Expression[]): Expression {
  return { kind: "call", function: name, args, type };
}
