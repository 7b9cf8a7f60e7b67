import { type ChangeBatch, selectRows } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { Output, Progress } from "./operator.js";
import { StatelessOperator } from "./stateless-operator.js";

/**
 * Job: passes on the changes of rows for which the predicate is TRUE (not FALSE, NULL or of another type).
 * State: none.
 * Invariant: what is passed on keeps order, weights and update numbers.
 */
export class FilterOperator extends StatelessOperator {
  readonly name: string;
  readonly #predicate: CompiledExpression;
  readonly #evaluation: Evaluation;

  constructor(name: string, predicate: CompiledExpression, evaluation: Evaluation) {
    super();
    this.name = name;
    this.#predicate = predicate;
    this.#evaluation = evaluation;
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const selected = new Int32Array(batch.rowCount);
    const count = selectTrue(this.#predicate, batch, this.#evaluation, selected);
    if (count === batch.rowCount) out(batch);
    else if (count > 0) out(selectRows(batch, selected, count));
    return "done";
  }
}

/** Writes the rows for which the predicate is TRUE to `selected`; how many there are. */
export function selectTrue(
  predicate: CompiledExpression,
  batch: ChangeBatch,
  evaluation: Evaluation,
  selected: Int32Array,
): number {
  const verdict = predicate.evaluate(batch, evaluation);
  let count = 0;
  if (verdict.kind === "boolean") {
    const { values, nulls } = verdict;
    for (let row = 0; row < batch.rowCount; row++) {
      selected[count] = row;
      count +=
        nulls === undefined ? (values[row] as number) : (values[row] as number) & ~(nulls[row] as number);
    }
  } else if (verdict.kind === "any") {
    for (let row = 0; row < batch.rowCount; row++) if (verdict.values[row] === true) selected[count++] = row;
  }
  return count;
}
