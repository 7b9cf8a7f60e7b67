import { type OutputColumn, type PhysicalPlan, type Polling, rowKeyText, type SqlValue } from "@hstream/sql";
import { batchOfRows, rowAt } from "../executor/columns.js";
import { decodeRows } from "../executor/decode/row-batches.js";
import { ResultEncoder } from "../executor/encode/result-encoder.js";
import { emptyReport } from "../executor/reports.js";
import type { StepReport } from "../executor/step-input.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import { pull, type RowSources } from "./pull-query.js";
import type { QueryTools } from "./query-tools.js";

/**
 * Asks a plan over system tables and views again and again, at ticks of the clock: the first answer comes
 * at once, the others at whole intervals after it. An answer that takes longer than the interval costs
 * the ticks that it covers. Ends only by the signal, whose reason it throws.
 */
export async function* poll(
  tools: QueryTools,
  sources: RowSources,
  plan: PhysicalPlan,
  { everyMs, show }: Polling,
  signal: AbortSignal,
): AsyncGenerator<StepReport, undefined> {
  const { clock, timers } = tools.env;
  const changes = show === "changes" ? new AnswerChanges(plan.output) : undefined;
  const startMs = clock.monotonic();
  for (;;) {
    for await (const report of pull(tools, sources, plan)) {
      signal.throwIfAborted();
      if (changes === undefined) yield report;
      else {
        changes.take(report.output);
        yield { ...report, output: [], rowsOut: 0 };
      }
    }
    if (changes !== undefined) yield { ...emptyReport, ...changes.next() };
    const elapsedMs = clock.monotonic() - startMs;
    await timers.sleep(everyMs - (elapsedMs % everyMs), signal);
  }
}

interface CountedRow {
  readonly values: readonly SqlValue[];
  count: number;
}

/** What rows came and went from one answer to the next. Rows are told apart by all of their values. */
class AnswerChanges {
  readonly #output: readonly OutputColumn[];
  readonly #encoder: ResultEncoder;
  #before = new Map<string, CountedRow>();
  #now = new Map<string, CountedRow>();
  #rows = 0;

  constructor(output: readonly OutputColumn[]) {
    this.#output = output;
    this.#encoder = new ResultEncoder(output, limits);
  }

  /** Some rows of the present answer. */
  take(batches: readonly Uint8Array[]): void {
    const types = this.#output.map(({ type }) => type);
    for (const bytes of batches) {
      const batch = decodeRows(bytes, [...types.keys()], types);
      this.#rows += batch.rowCount;
      const max = limits.polledRowsMax;
      if (this.#rows > max) {
        const message = `The answer has more than ${max} rows (polledRowsMax), too many to be compared with the next. Ask for fewer.`;
        throw new HStreamError("QueryFailed", { message });
      }
      for (let row = 0; row < batch.rowCount; row++) {
        const values = rowAt(batch, row);
        const key = rowKeyText(values);
        const known = this.#now.get(key);
        if (known === undefined) this.#now.set(key, { values, count: 1 });
        else known.count += 1;
      }
    }
  }

  /** The answer is complete: the rows that went, then those that came, in their order. */
  next(): { readonly output: readonly Uint8Array[]; readonly rowsOut: number } {
    const changed = [...missing(this.#before, this.#now), ...missing(this.#now, this.#before)];
    const gone = missing(this.#before, this.#now).length;
    this.#before = this.#now;
    this.#now = new Map();
    this.#rows = 0;
    const operations = new Uint8Array(changed.length).fill(1, 0, gone);
    const output: Uint8Array[] = [];
    const batch = batchOfRows(changed, this.#output.length);
    this.#encoder.encode(batch, gone === 0 ? undefined : operations, output);
    return { output, rowsOut: changed.length };
  }
}

/** The rows that `from` has more often than `other`, as often as it has them more. */
function missing(from: Map<string, CountedRow>, other: Map<string, CountedRow>): (readonly SqlValue[])[] {
  const rows: (readonly SqlValue[])[] = [];
  for (const [key, { values, count }] of from) {
    for (let i = other.get(key)?.count ?? 0; i < count; i++) rows.push(values);
  }
  return rows;
}
