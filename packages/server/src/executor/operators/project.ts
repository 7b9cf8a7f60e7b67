import { type ChangeBatch, originsOf } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { Output, Progress } from "./operator.js";
import { StatelessOperator } from "./stateless-operator.js";

/**
 * Job: makes new columns of the input's; one output change for each input change.
 * State: none.
 * Invariant: order, weights and update numbers stay.
 */
export class ProjectOperator extends StatelessOperator {
  readonly name: string;
  readonly #items: readonly CompiledExpression[];
  readonly #evaluation: Evaluation;

  constructor(name: string, items: readonly CompiledExpression[], evaluation: Evaluation) {
    super();
    this.name = name;
    this.#items = items;
    this.#evaluation = evaluation;
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const columns = this.#items.map((item) => item.evaluate(batch, this.#evaluation));
    const { rowCount, weights, updates, origins } = batch;
    out({ rowCount, columns, weights, updates, ...originsOf(origins) });
    return "done";
  }
}
