import type { SqlValue } from "@hstream/sql/runtime";
import { batchOfRows, type ChangeBatch, valueAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import type { Operator, Output, Progress } from "./operator.js";

/**
 * Job: gives the rows of VALUES, or the one row without columns of a SELECT without FROM, before any
 * input; it has no input of its own.
 * State: whether it has.
 * Invariant: each row comes once.
 */
export class ValuesOperator implements Operator {
  readonly name: string;
  readonly #rows: readonly (readonly CompiledExpression[])[];
  readonly #width: number;
  readonly #evaluation: Evaluation;
  #next = 0;

  constructor(
    name: string,
    rows: readonly (readonly CompiledExpression[])[],
    width: number,
    evaluation: Evaluation,
  ) {
    this.name = name;
    this.#rows = rows;
    this.#width = width;
    this.#evaluation = evaluation;
  }

  process(): Progress {
    return "done";
  }

  endStep(out: Output): Progress {
    const rows: SqlValue[][] = [];
    for (const row of this.#rows.slice(this.#next, this.#next + this.#evaluation.stepRowsMax)) {
      rows.push(row.map((item) => valueAt(item.evaluate(oneRow, this.#evaluation), 0)));
    }
    this.#next += rows.length;
    if (rows.length > 0) out(batchOfRows(rows, this.#width));
    return this.#next < this.#rows.length ? "more" : "done";
  }

  finish(): Progress {
    return "done";
  }

  stateBytes(): number {
    return 0;
  }

  save(writer: StateWriter): void {
    writer.count(this.#next);
  }

  load(reader: StateReader): void {
    this.#next = reader.count();
  }
}

/** What expressions without columns are evaluated over. */
const oneRow: ChangeBatch = { rowCount: 1, columns: [], weights: undefined, updates: undefined };
