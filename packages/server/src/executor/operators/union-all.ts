import type { ChangeBatch } from "../columns.js";
import type { Output, Progress } from "./operator.js";
import { StatelessOperator } from "./stateless-operator.js";

/**
 * Job: passes on the changes of all its inputs as they come.
 * State: none.
 * Invariant: order and weights stay within an input.
 */
export class UnionAllOperator extends StatelessOperator {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    out(batch);
    return "done";
  }
}
