import type { ChangeBatch } from "../columns.js";
import type { Operator, Output, Progress } from "./operator.js";

/**
 * Job: passes on the changes of all its inputs as they come.
 * State: none.
 * Invariant: order and weights stay within an input.
 */
export class UnionAllOperator implements Operator {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    out(batch);
    return "done";
  }

  endStep(): Progress {
    return "done";
  }

  finish(): Progress {
    return "done";
  }

  stateBytes(): number {
    return 0;
  }

  save(): void {}

  load(): void {}
}
