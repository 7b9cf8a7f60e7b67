import assert from "node:assert/strict";
import { type ColumnDef, decodeRowBatch, isMalformed, RowBatch } from "@hstream/proto";
import { fromJson, type PhysicalPlan, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import { limits } from "../limits.js";
import { batchOfRows } from "./columns.js";
import { type Inflate, loadInflate } from "@hstream/proto";
import { ResultEncoder } from "./encode/result-encoder.js";
import { Execution, type ExecutionLimits, type SinkKind } from "./execution.js";
import { outputColumns } from "./plans.test.helper.js";
import type { StepInput, StepReport } from "./step-input.js";

/** Executions without threads, and ways to read what they give. */

export interface Change {
  readonly row: readonly SqlValue[];
  readonly weight: 1 | -1;
}

export const encodeChanges = (list: readonly Change[]): Uint8Array[] => encodeRows(list, 2);

export function encodeRows(list: readonly Change[], width: number): Uint8Array[] {
  const into: Uint8Array[] = [];
  const names = Array.from({ length: width }, (_, i) => `c${i}`);
  const encoder = new ResultEncoder(outputColumns(...names), limits);
  const operations = Uint8Array.from(list, ({ weight }) => (weight < 0 ? 1 : 0));
  encoder.encode(
    batchOfRows(
      list.map(({ row }) => row),
      width,
    ),
    operations,
    into,
  );
  return into;
}

/** Cuts a list into pieces of the given sizes, again and again. */
export function pieces<T>(list: readonly T[], sizes: readonly number[]): T[][] {
  const result: T[][] = [];
  for (let at = 0, i = 0; at < list.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    result.push(list.slice(at, at + size));
    at += size;
  }
  return result;
}

/** Rows with whether they are there (+) or gone (−), as values again. */
export function decodeOutput(batches: readonly Uint8Array[], width: number): Change[] {
  return batches.flatMap((bytes) => {
    const rows = decodeRowBatch(RowBatch.decode(bytes), width);
    assert(!isMalformed(rows));
    return Array.from(
      { length: rows.rowCount },
      (_, row): Change => ({
        row: rows.columns.map((reader) =>
          reader.kind === "json" ? fromJson(reader.get(row)) : (reader.get(row) as SqlValue),
        ),
        weight: rows.isDelete(row) ? -1 : 1,
      }),
    );
  });
}

let inflate: Inflate;

/** For `before`. */
export async function loadInflateForTests(): Promise<void> {
  inflate = await loadInflate(limits.inflatedBytesMax);
}

/** Records in one buffer of their own, as they come to the worker. */
function copyOf(input: StepInput): StepInput {
  if (input.kind !== "records") return input;
  const buffer = new ArrayBuffer(input.batches.reduce((sum, { payload }) => sum + payload.length, 0));
  let at = 0;
  const batches = input.batches.map((batch) => {
    const payload = new Uint8Array(buffer, at, batch.payload.length);
    payload.set(batch.payload);
    at += payload.length;
    return { ...batch, payload };
  });
  return { ...input, batches };
}

export class Run {
  readonly #open: () => Execution;
  #execution: Execution;
  readonly reports: StepReport[] = [];

  constructor(
    plan: PhysicalPlan,
    sink: SinkKind,
    stepRowsMax: number,
    others: Partial<ExecutionLimits> = {},
  ) {
    this.#open = () => new Execution(plan, sink, 0, inflate, { ...limits, stepRowsMax, ...others });
    this.#execution = this.#open();
  }

  /** Goes on in another execution, from the saved state of this one; one that has reached its limit is over. */
  reopen(): void {
    if (this.reports.at(-1)?.finished === true) return;
    const state = this.#execution.save();
    this.#execution = this.#open();
    this.#execution.load(state);
  }

  /** `nowMs`: the clock of the feed; its first step is made though there be nothing to read. */
  feed(inputs: readonly StepInput[], nowMs = 0): StepReport[] {
    const own = inputs.map(copyOf);
    this.#execution.feed(own);
    const reports: StepReport[] = [];
    if (nowMs > 0 && !this.#execution.pending) reports.push(this.#execution.step(nowMs));
    while (this.#execution.pending) reports.push(this.#execution.step(nowMs));
    // The memory under the input is used for the next: whoever still refers to it reads something else.
    for (const input of own)
      if (input.kind === "records") for (const { payload } of input.batches) payload.fill(0x5a);
    this.reports.push(...reports);
    return reports;
  }

  end(): StepReport[] {
    const before = this.reports.length;
    this.feed([]);
    for (let done = false; !done; ) {
      const finished = this.#execution.finish();
      this.reports.push(finished.report);
      done = finished.done;
    }
    return this.reports.slice(before);
  }

  snapshot(): { batches: Uint8Array[]; columns: readonly ColumnDef[] } {
    const all = [...this.#execution.snapshot()];
    return { batches: all.flatMap(({ batches }) => batches), columns: all.at(-1)?.columns ?? [] };
  }
}

export const outputOf = (reports: readonly StepReport[]): Uint8Array[] =>
  reports.flatMap(({ output }) => output);

/** A multiset of rows as sorted texts. */
export function folded(list: readonly Change[]): string[] {
  const counts = new Map<string, number>();
  for (const { row, weight } of list) {
    const key = rowKeyText(row);
    counts.set(key, (counts.get(key) ?? 0) + weight);
  }
  return [...counts]
    .flatMap(([key, count]) => {
      assert.ok(count >= 0, "nothing is taken back that was not given");
      return new Array<string>(count).fill(key);
    })
    .sort();
}

/** The last state by key. */
export function upserted(list: readonly Change[], keyColumns: readonly number[]): string[] {
  const rows = new Map<string, string>();
  for (const { row, weight } of list) {
    const key = rowKeyText(keyColumns.map((index) => row[index] as SqlValue));
    if (weight < 0) rows.delete(key);
    else rows.set(key, rowKeyText(row));
  }
  return [...rows.values()].sort();
}

export const rowsInput = (list: readonly Change[]): StepInput[] => [
  { kind: "rows", source: 0, batches: encodeChanges(list) },
];
