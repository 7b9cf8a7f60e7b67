import type { ChangeBatch } from "../columns.js";
import type { Operator, Output, Progress } from "./operator.js";

/** An operator that makes its output of each batch by itself: nothing waits, nothing is kept, nothing is saved. */
export abstract class StatelessOperator implements Operator {
  abstract readonly name: string;

  abstract process(batch: ChangeBatch, port: number, out: Output): Progress;

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
