import { assert, type Inflate, must } from "@hstream/proto";
import type { PhysicalPlan } from "@hstream/sql/runtime";
import { HStreamError } from "../errors.js";
import type { ChangeBatch } from "./columns.js";
import { Evaluation } from "./compile/evaluation.js";
import { createOperator } from "./create-operator.js";
import { type DivertedCounts, DivertedCounter, type Diversions, LateCounter } from "./decode/diverted.js";
import { ErrorLog, type ErrorSummary } from "./error-log.js";
import { FilterOperator } from "./operators/filter.js";
import type { OperatorCounter, OperatorMeter } from "./operator-counts.js";
import type { Operator, Output, Progress } from "./operators/operator.js";
import { ProjectOperator } from "./operators/project.js";
import { SortOperator } from "./operators/sort.js";
import { RecordNumbers, Source } from "./operators/source.js";
import { PlanBuilder, type Reader, type Stage } from "./plan-builder.js";
import { isAppendOnly, judgesTwice } from "./plan-facts.js";
import type { StateReader } from "./state/state-reader.js";
import type { StateWriter } from "./state/state-writer.js";
import type { StepInput } from "./step-input.js";

export interface DataflowOptions {
  readonly inflate: Inflate;
  readonly stepRowsMax: number;
  readonly queryStateBytesMax: number;
  /** Expression errors of which the message is kept, per step. */
  readonly errorsKeptMax: number;
  /** Whether the sink keeps rows: by group key where the output has it, else counted. */
  readonly materialize: boolean;
  /** Takes note of what each operator does. */
  readonly counter?: OperatorCounter | undefined;
}

/** What one step did. */
export interface StepResult {
  /** Changes of the plan's output. */
  readonly output: readonly ChangeBatch[];
  /** Records and rows read in this step: processed + diverted. */
  readonly rowsIn: number;
  readonly diverted: number;
  readonly divertedBy: DivertedCounts;
  readonly errors: ErrorSummary;
  readonly stateBytes: number;
}

/**
 * A plan at work: synchronous, deterministic, in steps. The caller feeds input, calls `step` while there
 * is `pending` input, and for a finite input at last `finish` until it is done. A step takes at most
 * stepRowsMax rows in; what an operator cannot give at once it gives when it is asked again.
 *
 * Invariant: no batch waits, except within a step (or `finish`) that takes several turns; rows fed = rows
 * that went through + rows diverted.
 */
export class Dataflow {
  readonly #options: DataflowOptions;
  readonly #errors: ErrorLog;
  readonly #evaluation: Evaluation;
  readonly #sources: readonly Source[];
  /** Who reads each source. */
  readonly #readers: readonly (readonly Reader[])[];
  readonly #meters = new Map<Operator, OperatorMeter>();
  /** Children before parents; the last is the root. */
  readonly #stages: readonly Stage[];
  /** Records that no row was made of. */
  #diverted = new DivertedCounter();
  /** Records that came too late for an operator. */
  readonly #late = new LateCounter();
  readonly #isFinite: boolean;
  #output: ChangeBatch[] = [];
  /** What was fed and is not begun. */
  readonly #inputs: StepInput[] = [];
  /** The source that is read, until what it was given is used up. */
  #source: Source | undefined;
  /** Rows read at once: one where an input that is read twice must give the same answer in any batching. */
  readonly #readMax: number;
  /** A step is under way that takes several turns. */
  #isUnderWay = false;
  /** The stages before this one have ended the step. */
  #ending = 0;
  /** Whether that one knows the watermark of the step. */
  #isAdvanced = false;
  /** An operator has more to give than this turn takes. */
  #isSpent = false;

  constructor(plan: PhysicalPlan, options: DataflowOptions) {
    this.#options = options;
    this.#errors = new ErrorLog(options.errorsKeptMax);
    this.#evaluation = new Evaluation(this.#errors, options.stepRowsMax);
    const divert: Diversions = { add: (reason, count) => this.#diverted.add(reason, count) };
    const { inflate } = options;
    const endless = plan.emit.kind !== "pull";
    const numbers = judgesTwice(plan) ? new RecordNumbers() : undefined;
    this.#sources = plan.sources.map((source) => {
      return new Source(source, inflate, divert, this.#errors, { mirrors: endless, numbers });
    });
    const sinkStage = this.#foldAtEnd(plan);
    this.#isFinite = plan.emit.kind === "pull";
    const builder = new PlanBuilder(plan, (node) => {
      const operator = createOperator(node, plan, options.materialize, this.#evaluation, this.#late);
      if (options.counter !== undefined) this.#meters.set(operator, options.counter.meterOf(node));
      return operator;
    });
    this.#readers = builder.build([{ stage: sinkStage, port: 0 }]);
    this.#stages = sinkStage === undefined ? builder.stages : [...builder.stages, sinkStage];
    const perRecord = plan.emit.kind === "changes" || plan.emit.kind === "retractions";
    this.#readMax = perRecord && builder.sharesOutput ? 1 : options.stepRowsMax;
  }

  /** What stands before any input, such as the one row of an aggregate without GROUP BY. */
  start(nowMs: number): StepResult {
    this.#evaluation.nowMs = nowMs;
    return this.#inStep(() => {
      this.#goOn();
      return 0;
    });
  }

  /** Gives input to read. The bytes must stay as they are until `pending` is false. */
  feed(inputs: readonly StepInput[]): void {
    this.#inputs.push(...inputs);
  }

  /** Whether `step` has something to do. */
  get pending(): boolean {
    return this.#isUnderWay || this.#source !== undefined || this.#inputs.length > 0;
  }

  /** The answer was given in full: no further input, nor the end of it, can change it. */
  get satisfied(): boolean {
    for (const { operator } of this.#stages.toReversed()) {
      if (operator.satisfied?.() === true) return true;
      // Above a LIMIT that has its rows, others may hold back theirs until the end.
      if (!(operator instanceof FilterOperator || operator instanceof ProjectOperator)) return false;
    }
    return false;
  }

  /** Takes the next rows of the input through the operators. `nowMs`: the step's clock. */
  step(nowMs: number): StepResult {
    if (!this.#isUnderWay) this.#evaluation.nowMs = nowMs;
    return this.#inStep(() => {
      const rows = this.#isUnderWay ? 0 : this.#readInput();
      this.#goOn();
      return rows;
    });
  }

  /** After the end of all input: the next piece of what waited for it. */
  finish(): { readonly result: StepResult; readonly done: boolean } {
    assert(!this.pending || this.satisfied, "input is read before it is finished");
    let done = false;
    const result = this.#inStep(() => {
      done = this.#finishSome();
      return 0;
    });
    return { result, done };
  }

  /** The state of all operators, between two steps. */
  save(writer: StateWriter): void {
    assert(!this.pending, "a state is saved when all that was fed is done");
    for (const source of this.#sources) source.save(writer);
    for (const { operator } of this.#stages) {
      writer.section(operator.name);
      operator.save(writer);
    }
  }

  /** Before anything else is done with this dataflow. */
  load(reader: StateReader): void {
    for (const source of this.#sources) source.load(reader);
    for (const { operator } of this.#stages) {
      reader.section(operator.name);
      operator.load(reader);
    }
  }

  #inStep(run: () => number): StepResult {
    this.#diverted = new DivertedCounter();
    if (!this.#isUnderWay) this.#late.beginStep();
    this.#output = [];
    this.#isSpent = false;
    const processed = run();
    for (const [index, { watermark }] of this.#sources.entries()) {
      if (watermark !== undefined) this.#options.counter?.reached(index, watermark);
    }
    const stateBytes = this.#checkState();
    const late = this.#late.take();
    return {
      output: this.#output,
      rowsIn: processed + this.#diverted.total,
      diverted: this.#diverted.total + late.total,
      divertedBy: { ...this.#diverted.counts(), ...late.counts() },
      errors: this.#errors.take(),
      stateBytes,
    };
  }

  /** Rows that went through. */
  #readInput(): number {
    let processed = 0;
    let budget = this.#options.stepRowsMax;
    while (budget > 0) {
      this.#source ??= this.#nextSource();
      const source = this.#source;
      if (source === undefined) break;
      const before = this.#diverted.total;
      const rowsMax = Math.min(budget, this.#readMax);
      const { counter } = this.#options;
      const at = this.#sources.indexOf(source);
      const batch =
        counter === undefined ? source.next(rowsMax) : counter.reading(at, () => source.next(rowsMax));
      if (batch === undefined || !source.pending) this.#source = undefined;
      if (batch === undefined) continue;
      processed += batch.rowCount;
      budget -= Math.max(1, batch.rowCount + this.#diverted.total - before);
      if (batch.rowCount === 0) continue;
      this.#give(must(this.#readers[at], "a source has readers"), batch);
      if (!this.#drain()) break;
    }
    return processed;
  }

  /** The source of the next inputs, which is given all those that are for it. */
  #nextSource(): Source | undefined {
    for (;;) {
      const first = this.#inputs[0];
      if (first === undefined) return undefined;
      const source = must(this.#sources[first.source], () => `the plan has a source ${first.source}`);
      if (first.kind !== "records" && first.kind !== "rows") {
        this.#inputs.shift();
        source.feedTime(first);
        continue;
      }
      const shard = shardOf(first);
      for (let input = this.#inputs[0]; input !== undefined; input = this.#inputs[0]) {
        if (input.source !== first.source || input.kind !== first.kind || shardOf(input) !== shard) break;
        this.#inputs.shift();
        if (input.kind === "records") source.feedRecords(input.batches, shard);
        else if (input.kind === "rows") source.feedRows(input.batches, input.replace);
      }
      return source;
    }
  }

  #give(readers: readonly Reader[], batch: ChangeBatch): void {
    for (const { stage, port } of readers) {
      if (stage === undefined) this.#output.push(batch);
      else stage.queue.push({ batch, port });
    }
  }

  /**
   * Lets the stages work, those next to the root first, so that little waits in between; false when the
   * turn ends before all is done.
   */
  #drain(): boolean {
    for (let at = this.#stages.length - 1; at >= 0; ) {
      const stage = this.#stages[at] as Stage;
      const next = stage.queue[0];
      if (next === undefined) {
        at -= 1;
        continue;
      }
      if (this.#isSpent && stage.resumes) return false;
      const progress = this.#timed(stage, (out) => stage.operator.process(next.batch, next.port, out));
      stage.resumes = progress === "more";
      if (stage.resumes) this.#isSpent = true;
      else {
        stage.queue.shift();
        this.#meters.get(stage.operator)?.took(next.batch.rowCount);
      }
      at = this.#stages.length - 1;
    }
    return true;
  }

  /** Lets a stage's operator work, and takes note of it. */
  #timed(stage: Stage, work: (out: Output) => Progress): Progress {
    const meter = this.#meters.get(stage.operator);
    if (meter === undefined) return work((batch) => this.#give(stage.readers, batch));
    const out = (batch: ChangeBatch) => {
      meter.gave(batch.rowCount);
      this.#give(stage.readers, batch);
    };
    return meter.timed(() => work(out));
  }

  /** What waits, then the end of the step, as far as the turn goes. */
  #goOn(): void {
    this.#isUnderWay = true;
    while (this.#drain()) {
      const stage = this.#stages[this.#ending];
      if (stage === undefined) {
        this.#isUnderWay = false;
        this.#ending = 0;
        return;
      }
      if (this.#isSpent && stage.resumes) return;
      const progress = this.#isAdvanced
        ? this.#timed(stage, (out) => stage.operator.endStep(out))
        : this.#advance(stage);
      stage.resumes = progress === "more";
      if (stage.resumes) this.#isSpent = true;
      else {
        if (this.#isAdvanced) this.#ending += 1;
        this.#isAdvanced = !this.#isAdvanced;
      }
    }
  }

  /** Tells a stage how far the time of its input has come. */
  #advance(stage: Stage): Progress {
    const { operator, times } = stage;
    if (operator.advance === undefined || times.length === 0 || this.#isFinite) return "done";
    if (!stage.resumes) {
      let watermark = Number.POSITIVE_INFINITY;
      for (const { source, delayMs } of times) {
        const reached = must(this.#sources[source]?.watermark, "the source knows the time");
        watermark = Math.min(watermark, reached - delayMs);
      }
      if (watermark <= stage.watermark) return "done";
      stage.watermark = watermark;
    }
    return this.#timed(stage, (out) => operator.advance?.(stage.watermark, out) ?? "done");
  }

  /** One piece of one stage's rest; whether all are done. */
  #finishSome(): boolean {
    if (!this.#drain()) return false;
    for (const stage of this.#stages) {
      if (stage.finished) continue;
      stage.finished = this.#timed(stage, (out) => stage.operator.finish(out)) === "done";
      const drained = this.#drain();
      if (!stage.finished || !drained || this.#output.length > 0) {
        return drained && this.#stages.every(({ finished }) => finished);
      }
    }
    return true;
  }

  #checkState(): number {
    const max = this.#options.queryStateBytesMax;
    let total = 0;
    for (const source of this.#sources) total += source.stateBytes();
    let largest = { name: "", bytes: -1 };
    for (const { operator } of this.#stages) {
      const bytes = operator.stateBytes();
      total += bytes;
      this.#meters.get(operator)?.holds(bytes);
      if (bytes > largest.bytes) largest = { name: operator.name, bytes };
    }
    if (total > max) throw new HStreamError("QueryStateTooLarge", { operator: largest.name, max });
    return total;
  }

  /** A finite answer has no −1 in it. */
  #foldAtEnd(plan: PhysicalPlan): Stage | undefined {
    if (plan.emit.kind !== "pull" || isAppendOnly(plan.root, plan)) return undefined;
    const options = { limit: undefined, offset: 0, width: plan.root.types.length, appendOnly: false };
    const operator = new SortOperator("answer", [], options, this.#evaluation);
    return {
      operator,
      readers: [{ stage: undefined, port: 0 }],
      queue: [],
      resumes: false,
      finished: false,
      times: [],
      watermark: Number.NEGATIVE_INFINITY,
    };
  }
}

function shardOf(input: StepInput): number {
  return input.kind === "records" ? (input.shard ?? input.batches[0]?.shardId ?? 0) : 0;
}
