import type { Expression } from "@hstream/sql/runtime";
import type { ChangeBatch, Column } from "../columns.js";
import type { Evaluation } from "./evaluation.js";
import { generateKernel, type Kernel } from "./generate.js";

/** Functions kept for one expression; batches of yet other forms are done by the careful one. */
const kernelsMax = 32;

/**
 * An expression as JavaScript over whole batches. For each combination of column forms that comes along
 * a function is generated once: over numbers, booleans and texts it works on the columns' own arrays;
 * what the fast code has no answer for (an overflow, a division by zero) makes it give the batch up, and
 * the same batch is done again by code that calls the function table for every operation. The table is
 * the definition of what is right.
 */
export class CompiledExpression {
  readonly #expression: Expression;
  /** By the forms of the columns that the expression reads. */
  readonly #kernels = new Map<string, Kernel>();
  readonly #columns: readonly number[];
  #careful: Kernel | undefined;

  constructor(expression: Expression) {
    this.#expression = expression;
    this.#columns = [...columnsOf(expression, new Set())].sort((a, b) => a - b);
  }

  /** The values for the rows of the batch. */
  evaluate(batch: ChangeBatch, evaluation: Evaluation): Column {
    if (this.#expression.kind === "column") return batch.columns[this.#expression.index] as Column;
    let forms = "";
    for (const index of this.#columns) forms += formOf(batch.columns[index] as Column);
    let kernel = this.#kernels.get(forms);
    if (kernel === undefined && this.#kernels.size < kernelsMax) {
      kernel = generateKernel(this.#expression, batch.columns, "fast");
      this.#kernels.set(forms, kernel);
    }
    if (kernel !== undefined) {
      const mark = evaluation.errors.mark();
      const result = this.#run(kernel, batch, evaluation);
      if (result !== undefined) return result;
      evaluation.errors.rollBack(mark);
    }
    this.#careful ??= generateKernel(this.#expression, batch.columns, "careful");
    const careful = this.#run(this.#careful, batch, evaluation);
    return careful ?? { kind: "any", values: [] };
  }

  #run(kernel: Kernel, batch: ChangeBatch, evaluation: Evaluation): Column | undefined {
    const result = kernel(batch.rowCount, batch.weights, batch.columns, evaluation);
    evaluation.inserting = true;
    return result;
  }
}

/** A letter for each way in which generated code reads a column, of decimals with their scale. */
function formOf(column: Column): string {
  if (column.kind === "any") return "a";
  if (column.kind === "record") return "r";
  if (column.kind === "decimal") return `${column.nulls === undefined ? "d" : "D"}${column.scale}`;
  const letter = { float64: "f", timestamp: "m", boolean: "b", text: "t", textList: "l" }[column.kind];
  return column.nulls === undefined ? letter : letter.toUpperCase();
}

function columnsOf(expression: Expression, found: Set<number>): Set<number> {
  switch (expression.kind) {
    case "literal":
      break;
    case "column":
      found.add(expression.index);
      break;
    case "call":
    case "and":
    case "or":
      for (const arg of expression.args) columnsOf(arg, found);
      break;
    case "case":
      for (const branch of expression.branches) {
        columnsOf(branch.when, found);
        columnsOf(branch.then, found);
      }
      columnsOf(expression.otherwise, found);
      break;
    case "cast":
      columnsOf(expression.operand, found);
      break;
  }
  return found;
}
