import { assert, type ColumnDef } from "@hstream/proto";
import type { PhysicalPlan, SqlValue } from "@hstream/sql/runtime";
import { HStreamError } from "../errors.js";
import { Dataflow, type StepResult } from "./dataflow.js";
import type { Inflate } from "@hstream/proto";
import { Emitter, type Sink } from "./emit.js";
import type { ErrorSummary } from "./error-log.js";
import { IntervalEmitter } from "./interval-emitter.js";
import { MaterializedView } from "./materialized-view.js";
import type { OperatorCounter } from "./operator-counts.js";
import { RecordEmitter, type RecordSinkOptions } from "./record-emitter.js";
import { emptyReport } from "./reports.js";
import { readStateHeader, writeStateHeader } from "./state/state-header.js";
import { StateReader } from "./state/state-reader.js";
import { StateWriter } from "./state/state-writer.js";
import type { StepInput, StepReport } from "./step-input.js";

/** What the answer is for. */
export type SinkKind =
  /** Encoded rows for a reader, by the plan's EMIT mode. */
  | { readonly kind: "emit" }
  /** Rows to be kept, of which snapshots are taken. */
  | { readonly kind: "materialize" }
  /** Encoded records for a stream (KeyedBatch), by the plan's EMIT mode. */
  | ({ readonly kind: "records" } & RecordSinkOptions);

export interface ExecutionLimits {
  readonly stepRowsMax: number;
  readonly queryStateBytesMax: number;
  readonly resultBatchBytesMax: number;
  readonly resultColumnsMax: number;
  readonly stepErrorsKeptMax: number;
  readonly recordBytesMax: number;
  readonly batchRecordsMax: number;
}

export interface SnapshotPiece {
  readonly batches: readonly Uint8Array[];
  /** All columns so far. */
  readonly columns: readonly ColumnDef[];
}

/** One plan with its sink, run by its caller step by step. Knows nothing of threads. */
export class Execution {
  readonly #plan: PhysicalPlan;
  readonly #limits: ExecutionLimits;
  readonly #openedMs: number;
  readonly #dataflow: Dataflow;
  readonly #sink: Sink;
  readonly #view: MaterializedView | undefined;
  #started = false;
  #ended = false;

  /** `openedMs`: the clock for what stands before any input. */
  constructor(
    plan: PhysicalPlan,
    sink: SinkKind,
    openedMs: number,
    inflate: Inflate,
    limits: ExecutionLimits,
    counter?: OperatorCounter,
  ) {
    this.#plan = plan;
    this.#openedMs = openedMs;
    this.#limits = limits;
    const materialize = sink.kind === "materialize";
    const { stepRowsMax, queryStateBytesMax, stepErrorsKeptMax: errorsKeptMax } = limits;
    this.#dataflow = new Dataflow(plan, {
      inflate,
      stepRowsMax,
      queryStateBytesMax,
      errorsKeptMax,
      materialize,
      counter,
    });
    this.#view = materialize ? new MaterializedView(plan, limits) : undefined;
    this.#sink = this.#view ?? emitterOf(plan, sink, openedMs, limits);
  }

  /**
   * Gives input to read; it is dropped when no input can change the answer any more. `withChanges`: whether
   * the reports of a materialised query have its changes (old states as deletions), for those that read it.
   */
  feed(inputs: readonly StepInput[], withChanges = false): void {
    assert(!this.#ended, "nothing is fed after the end");
    if (this.#view !== undefined) this.#view.withChanges = withChanges;
    if (!this.#finished) this.#dataflow.feed(inputs);
  }

  /** Whether `step` has something to do. */
  get pending(): boolean {
    return !this.#started || (this.#dataflow.pending && !this.#finished);
  }

  /** Takes the next bounded part of the input; the first step gives what stands before any input. */
  step(nowMs: number): StepReport {
    if (this.#started) {
      // What still waits changes nothing, and the memory under it may be in use for something else.
      if (this.#finished) return { ...emptyReport, finished: true };
      return this.#report(this.#dataflow.step(nowMs), (changes) => this.#sink.take(changes, nowMs));
    }
    this.#started = true;
    return this.#report(this.#dataflow.start(this.#openedMs), (changes) => this.#sink.start(changes));
  }

  /** After the end of the input: the next bounded part of what waited for it. */
  finish(): { readonly report: StepReport; readonly done: boolean } {
    assert(this.#started, "the first step comes before the end");
    if (this.#ended || this.#sink.full) {
      this.#ended = true;
      return { report: { ...emptyReport, finished: true }, done: true };
    }
    const { result, done } = this.#dataflow.finish();
    this.#ended = done;
    const report = this.#report(result, (changes) => this.#sink.take(changes, Number.POSITIVE_INFINITY));
    return { report, done };
  }

  /**
   * All that is needed to go on elsewhere, in chunks. Only of a query without end, between two feeds. `alive`
   * is called now and then.
   */
  save(alive?: () => void): Uint8Array[] {
    assert(this.#plan.emit.kind !== "pull", "a finite query is not saved");
    assert(this.#started && !this.pending, "a state is saved when all that was fed is done");
    const writer = new StateWriter(alive);
    writeStateHeader(writer, this.#plan);
    this.#dataflow.save(writer);
    this.#sink.save(writer);
    return writer.chunks();
  }

  /**
   * Goes on from what `save` gave, before anything else. Throws QueryStateUnreadable for a state that is of
   * another plan, of another version, or broken.
   */
  load(chunks: readonly Uint8Array[], alive?: () => void): void {
    assert(!this.#started, "a state is loaded before the first step");
    const reader = new StateReader(chunks, alive);
    readStateHeader(reader, this.#plan);
    this.#dataflow.load(reader);
    this.#sink.load(reader);
    reader.end();
    this.#started = true;
  }

  /** `key`: only the row of that group key, of a view that has one. */
  snapshot(key?: readonly SqlValue[]): Generator<SnapshotPiece> {
    if (this.#view === undefined) {
      throw new HStreamError("QueryFailed", { message: "Only a materialised query has a snapshot." });
    }
    return key === undefined ? this.#view.snapshot(this.#limits.stepRowsMax) : this.#view.lookUp(key);
  }

  get #finished(): boolean {
    return this.#ended || this.#sink.full || this.#dataflow.satisfied;
  }

  #report(result: StepResult, sink: (changes: StepResult["output"]) => ReturnType<Sink["take"]>): StepReport {
    const { output, rowsOut, errors: sinkErrors } = sink(result.output);
    const stateBytes = result.stateBytes + this.#sink.stateBytes();
    const max = this.#limits.queryStateBytesMax;
    if (stateBytes > max) throw new HStreamError("QueryStateTooLarge", { operator: "the view's rows", max });
    const { rowsIn, diverted, divertedBy } = result;
    const errors = sinkErrors === undefined ? result.errors : bothErrors(result.errors, sinkErrors);
    return { output, rowsIn, rowsOut, diverted, divertedBy, errors, stateBytes, finished: this.#finished };
  }
}

function bothErrors(a: ErrorSummary, b: ErrorSummary): ErrorSummary {
  return { count: a.count + b.count, first: [...a.first, ...b.first] };
}

function emitterOf(plan: PhysicalPlan, sink: SinkKind, openedMs: number, limits: ExecutionLimits): Sink {
  const emitter = sink.kind === "records" ? new RecordEmitter(plan, sink, limits) : new Emitter(plan, limits);
  return plan.emit.kind === "every"
    ? new IntervalEmitter(plan, plan.emit.intervalMs, openedMs, emitter)
    : emitter;
}
