import type { ChangeBatch } from "../columns.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";

/**
 * What the dataflow and an operator owe each other.
 *
 * The dataflow
 * - gives batches one at a time, of at most stepRowsMax rows, in the order of the input, and calls again
 *   with the same batch while the answer is "more";
 * - calls `advance` after the last batch of a step, children before parents, when the watermark of its input has
 *   risen: again while the answer is "more";
 * - calls `endStep` after that, children before parents, again while the answer is
 *   "more";
 * - ends its turn after a "more", so that a step that makes many rows of few is done in several turns;
 * - calls `finish` once all inputs have ended and finished, again while the answer is "more", and
 *   nothing else after that;
 * - stops using an operator that has thrown.
 *
 * An operator
 * - is a deterministic function of the batches it was given and of the step's clock; how rows are cut
 *   into batches changes nothing of what `emission: per-record` gives, and nothing of the folded result
 *   otherwise;
 * - treats weights everywhere: a change of weight w has the effect of |w| changes of weight ±1;
 * - gives to `out` at most stepRowsMax rows in a call (and what one call of `process` makes of its own
 *   batch: at most two rows for each), and answers "more" when some are left;
 * - keeps no reference to a batch after `process` is done with it, and does not write to it;
 * - keeps state that is plain data (numbers, strings, typed arrays, Maps of these, the states of the
 *   function table), so that it can be saved;
 * - turns what fails in an expression into NULL and an entry in the error log, and throws nothing but
 *   broken laws and QueryStateTooLarge.
 */
export interface Operator {
  /** As EXPLAIN shows it; for messages. */
  readonly name: string;
  /** Takes one batch from its input number `port`. */
  process(batch: ChangeBatch, port: number, out: Output): Progress;
  /**
   * Of the input, no row that is not late has a time below watermarkMs any more, nor does a window that ends by
   * then change: gives what waited for that, and lets go of what is not needed any more. What it lets go of, no
   * row can have asked for: rows are judged late by the watermark before each of them.
   */
  advance?(watermarkMs: number, out: Output): Progress;
  /** The step's input is complete: gives what waited for that. */
  endStep(out: Output): Progress;
  /** All input is complete: gives what waited for that. */
  finish(out: Output): Progress;
  /** Estimated bytes of state. Cheap: it is asked after every step. */
  stateBytes(): number;
  /**
   * Writes the state as it is between two steps. A fresh operator of the same node that has loaded it
   * gives from then on what this one would have given.
   */
  save(writer: StateWriter): void;
  load(reader: StateReader): void;
  /** Whether no further input can change the answer (LIMIT has its rows). */
  satisfied?(): boolean;
}

export type Progress = "done" | "more";

export type Output = (batch: ChangeBatch) => void;
