import type { EvaluationContext } from "@hstream/sql/runtime";
import type { ErrorLog } from "../error-log.js";

/** What the expressions of one dataflow are evaluated in. */
export class Evaluation implements EvaluationContext {
  /** The step's clock. */
  nowMs = 0;
  /** Whether the row at hand comes (+) or goes (−): errors are entered for the + only. */
  inserting = true;
  readonly stepRowsMax: number;
  readonly errors: ErrorLog;

  constructor(errors: ErrorLog, stepRowsMax: number) {
    this.errors = errors;
    this.stepRowsMax = stepRowsMax;
  }

  error(message: string): null {
    if (this.inserting) this.errors.add(message);
    return null;
  }
}
