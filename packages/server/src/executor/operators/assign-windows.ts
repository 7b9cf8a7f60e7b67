import { assert } from "@hstream/proto";
import { type ChangeBatch, type Column, isTimestamp, selectRows, valueAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { LateRecords } from "../decode/diverted.js";
import type { Output, Progress } from "./operator.js";
import { StatelessOperator } from "./stateless-operator.js";

/**
 * Job: each row once for each hopping window that its time is in and that the watermark before it has not closed,
 * with the window's bounds behind its columns. A row of which all windows are closed is diverted.
 * State: how far the batch at hand is done.
 * Invariant: a row's windows follow from the row alone.
 */
export class AssignWindowsOperator extends StatelessOperator {
  readonly name: string;
  readonly #sizeMs: number;
  readonly #hopMs: number;
  readonly #time: CompiledExpression;
  readonly #watermark: CompiledExpression | undefined;
  readonly #evaluation: Evaluation;
  readonly #late: LateRecords;
  /** The next row of the batch at hand. */
  #row = 0;

  constructor(
    name: string,
    shape: { readonly sizeMs: number; readonly hopMs: number },
    time: CompiledExpression,
    watermark: CompiledExpression | undefined,
    evaluation: Evaluation,
    late: LateRecords,
  ) {
    super();
    assert(shape.hopMs > 0 && shape.hopMs <= shape.sizeMs, "a window is not shorter than its hop");
    this.name = name;
    this.#sizeMs = shape.sizeMs;
    this.#hopMs = shape.hopMs;
    this.#time = time;
    this.#watermark = watermark;
    this.#evaluation = evaluation;
    this.#late = late;
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const { rowCount } = batch;
    const times = millisecondsOf(this.#time.evaluate(batch, this.#evaluation), rowCount);
    const before =
      this.#watermark === undefined
        ? undefined
        : millisecondsOf(this.#watermark.evaluate(batch, this.#evaluation), rowCount);
    const perRow = Math.ceil(this.#sizeMs / this.#hopMs);
    const last = Math.min(
      rowCount,
      this.#row + Math.max(1, Math.floor(this.#evaluation.stepRowsMax / perRow)),
    );
    const [sizeMs, hopMs] = [this.#sizeMs, this.#hopMs];
    const selected = new Int32Array((last - this.#row) * perRow);
    const starts = new Float64Array(selected.length);
    let count = 0;
    for (let row = this.#row; row < last; row++) {
      const time = times[row] as number;
      const closed = before === undefined ? Number.NEGATIVE_INFINITY : (before[row] as number);
      const latest = Math.floor(time / hopMs) * hopMs;
      // Windows with start > time - size; those with an end up to the watermark are closed.
      let start = latest - (Math.ceil((sizeMs - (time - latest)) / hopMs) - 1) * hopMs;
      if (start + sizeMs <= closed) start += Math.ceil((closed + 1 - sizeMs - start) / hopMs) * hopMs;
      if (!(start <= latest)) {
        this.#late.add(Number.isNaN(time) ? "no-time" : "late", batch.origins?.[row]);
        continue;
      }
      for (; start <= latest; start += hopMs) {
        selected[count] = row;
        starts[count] = start;
        count += 1;
      }
    }
    const whole = this.#row === 0 && last === rowCount && count === rowCount && perRow === 1;
    this.#row = last === rowCount ? 0 : last;
    if (count > 0) {
      const rows = whole ? batch : selectRows(batch, selected, count);
      const values = starts.subarray(0, count);
      const bounds: Column[] = [
        { kind: "timestamp", values, nulls: undefined },
        { kind: "timestamp", values: values.map((ms) => ms + sizeMs), nulls: undefined },
      ];
      out({ ...rows, columns: [...rows.columns, ...bounds] });
    }
    return last === rowCount ? "done" : "more";
  }
}

/** Of a column of TIMESTAMPs, the milliseconds; NaN where there is none. */
export function millisecondsOf(column: Column, rowCount: number): Float64Array {
  if (column.kind === "timestamp") {
    const { values, nulls } = column;
    return nulls === undefined ? values : values.map((ms, row) => (nulls[row] === 1 ? Number.NaN : ms));
  }
  return Float64Array.from({ length: rowCount }, (_, row) => {
    const value = valueAt(column, row);
    return isTimestamp(value) ? value.ms : Number.NaN;
  });
}
