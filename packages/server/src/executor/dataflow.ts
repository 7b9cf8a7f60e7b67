import { assert, must, unreachable } from "@hstream/proto";
import {
  type AggregateCall,
  BOOLEAN,
  type Expression,
  type PhysicalNode,
  type PhysicalPlan,
  type SortKey,
} from "@hstream/sql/runtime";
import { HStreamError } from "../errors.js";
import type { ChangeBatch } from "./columns.js";
import { CompiledExpression } from "./compile/compiled-expression.js";
import { Evaluation } from "./compile/evaluation.js";
import { type DivertedCounts, DivertedCounter, type Diversions } from "./decode/diverted.js";
import type { Inflate } from "@hstream/proto";
import { ErrorLog, type ErrorSummary } from "./error-log.js";
import { AggregateOperator } from "./operators/aggregate.js";
import { FilterOperator } from "./operators/filter.js";
import { JoinOperator } from "./operators/join.js";
import { LimitOperator } from "./operators/limit.js";
import type { Operator } from "./operators/operator.js";
import { ProjectOperator } from "./operators/project.js";
import { SetOperationOperator } from "./operators/set-operation.js";
import { type CompiledSortKey, SortOperator } from "./operators/sort.js";
import { Source } from "./operators/source.js";
import { TopNOperator } from "./operators/top-n.js";
import { UnionAllOperator } from "./operators/union-all.js";
import { ValuesOperator } from "./operators/values.js";
import { WindowOperator } from "./operators/window.js";
import { PlanBuilder, type Reader, type Stage, type WorkingNode } from "./plan-builder.js";
import { groupKeysInOutput, isAppendOnly, shiftColumns, updatesByKey } from "./plan-facts.js";
import type { StepInput } from "./step-input.js";

export interface DataflowOptions {
  readonly inflate: Inflate;
  readonly stepRowsMax: number;
  readonly queryStateBytesMax: number;
  /** Expression errors of which the message is kept, per step. */
  readonly errorsKeptMax: number;
  /** Whether the sink keeps rows: by group key where the output has it, else counted. */
  readonly materialize: boolean;
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
  /** Children before parents; the last is the root. */
  readonly #stages: readonly Stage[];
  #diverted = new DivertedCounter();
  #output: ChangeBatch[] = [];
  /** Sources with input, in the order in which it was fed. */
  readonly #inputs: Source[] = [];
  /** Rows read at once: one where an input that is read twice must give the same answer in any batching. */
  readonly #readMax: number;
  /** A step is under way that takes several turns. */
  #isUnderWay = false;
  /** The stages before this one have ended the step. */
  #ending = 0;
  /** An operator has more to give than this turn takes. */
  #isSpent = false;

  constructor(plan: PhysicalPlan, options: DataflowOptions) {
    this.#options = options;
    this.#errors = new ErrorLog(options.errorsKeptMax);
    this.#evaluation = new Evaluation(this.#errors, options.stepRowsMax);
    const divert: Diversions = { add: (reason, count) => this.#diverted.add(reason, count) };
    this.#sources = plan.sources.map((source) => new Source(source, options.inflate, divert, this.#errors));
    const sinkStage = this.#foldAtEnd(plan);
    const builder = new PlanBuilder(plan, (node) => this.#operator(node, plan));
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
    for (const input of inputs) {
      const source = must(this.#sources[input.source], () => `the plan has a source ${input.source}`);
      if (input.kind === "records") source.feedRecords(input.batches);
      else source.feedRows(input.batches);
      this.#inputs.push(source);
    }
  }

  /** Whether `step` has something to do. */
  get pending(): boolean {
    return this.#isUnderWay || this.#inputs.length > 0;
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

  #inStep(run: () => number): StepResult {
    this.#diverted = new DivertedCounter();
    this.#output = [];
    this.#isSpent = false;
    const processed = run();
    const stateBytes = this.#checkState();
    return {
      output: this.#output,
      rowsIn: processed + this.#diverted.total,
      diverted: this.#diverted.total,
      divertedBy: this.#diverted.counts(),
      errors: this.#errors.take(),
      stateBytes,
    };
  }

  /** Rows that went through. */
  #readInput(): number {
    let processed = 0;
    let budget = this.#options.stepRowsMax;
    for (let source = this.#inputs[0]; source !== undefined && budget > 0; source = this.#inputs[0]) {
      const before = this.#diverted.total;
      const batch = source.next(Math.min(budget, this.#readMax));
      if (batch === undefined || !source.pending) this.#inputs.shift();
      if (batch === undefined) continue;
      processed += batch.rowCount;
      budget -= Math.max(1, batch.rowCount + this.#diverted.total - before);
      if (batch.rowCount === 0) continue;
      this.#give(must(this.#readers[this.#sources.indexOf(source)], "a source has readers"), batch);
      if (!this.#drain()) break;
    }
    return processed;
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
      stage.resumes = stage.operator.process(next.batch, next.port, this.#outOf(stage)) === "more";
      if (stage.resumes) this.#isSpent = true;
      else stage.queue.shift();
      at = this.#stages.length - 1;
    }
    return true;
  }

  #outOf(stage: Stage): (batch: ChangeBatch) => void {
    return (batch) => this.#give(stage.readers, batch);
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
      stage.resumes = stage.operator.endStep(this.#outOf(stage)) === "more";
      if (stage.resumes) this.#isSpent = true;
      else this.#ending += 1;
    }
  }

  /** One piece of one stage's rest; whether all are done. */
  #finishSome(): boolean {
    if (!this.#drain()) return false;
    for (const stage of this.#stages) {
      if (stage.finished) continue;
      stage.finished = stage.operator.finish(this.#outOf(stage)) === "done";
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
    let largest = { name: "", bytes: -1 };
    for (const { operator } of this.#stages) {
      const bytes = operator.stateBytes();
      total += bytes;
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
    return { operator, readers: [{ stage: undefined, port: 0 }], queue: [], resumes: false, finished: false };
  }

  #operator(node: WorkingNode, plan: PhysicalPlan): Operator {
    const name = `${node.kind} (operator ${node.id})`;
    const width = node.types.length;
    const evaluation = this.#evaluation;
    const emission = emissionOf(plan);
    const atEnd = emission === "at-end";
    switch (node.kind) {
      case "values":
        return new ValuesOperator(
          name,
          node.rows.map((row) => row.map(compiled)),
          width,
          evaluation,
        );
      case "filter":
        return new FilterOperator(name, compiled(node.predicate), evaluation);
      case "project":
        return new ProjectOperator(name, node.items.map(compiled), evaluation);
      case "aggregate": {
        const { appendOnly } = node;
        const pull = plan.emit.kind === "pull";
        const byKey = this.#options.materialize
          ? groupKeysInOutput(plan) !== undefined
          : plan.emit.kind !== "retractions";
        const isDistinct = node.calls.length === 0;
        const retract = isDistinct || !(appendOnly && updatesByKey(plan, node) && byKey);
        const options = { appendOnly, emission: pull ? "at-end" : node.emission, retract } as const;
        return new AggregateOperator(
          name,
          node.keys.map(compiled),
          node.calls.map(compiledCall),
          options,
          evaluation,
        );
      }
      case "sort": {
        const keys = node.keys.map(compiledKey);
        const appendOnly = isAppendOnly(node.input, plan);
        return new SortOperator(
          name,
          keys,
          { limit: node.limit, offset: node.offset, width, appendOnly },
          evaluation,
        );
      }
      case "limit": {
        const { limit, offset } = node;
        if (isAppendOnly(node.input, plan)) return new LimitOperator(name, limit, offset);
        return new SortOperator(name, [], { limit, offset, width, appendOnly: false }, evaluation);
      }
      case "join":
        return this.#join(name, node, plan);
      case "union-all":
        return new UnionAllOperator(name);
      case "set-operation": {
        const { operator, all } = node;
        return new SetOperationOperator(name, { operator, all, width, atEnd }, evaluation);
      }
      case "top-n": {
        const { limit, offset, numbered } = node;
        const appendOnly = node.appendOnly || isAppendOnly(node.input, plan);
        const options = { limit, offset, numbered, appendOnly, width: node.input.types.length, emission };
        return new TopNOperator(
          name,
          node.partition.map(compiled),
          node.keys.map(compiledKey),
          options,
          evaluation,
        );
      }
      case "window": {
        const calls = node.calls.map((call) => ({
          call,
          args: call.args.map(compiled),
          filter: call.filter === undefined ? undefined : compiled(call.filter),
        }));
        const options = { width: node.input.types.length, emission };
        const keys = node.keys.map(compiledKey);
        return new WindowOperator(name, node.partition.map(compiled), keys, calls, options, evaluation);
      }
      default:
        return unreachable(node);
    }
  }

  #join(name: string, node: Extract<PhysicalNode, { kind: "join" }>, plan: PhysicalPlan): Operator {
    const { type, left, right, lookup } = node;
    const keys = node.keys.map((key) => ({
      left: compiled(key.left),
      right: compiled(key.right),
      nullsEqual: key.nullsEqual,
    }));
    const residual = residualOf(node);
    const options = {
      type,
      leftWidth: left.types.length,
      rightWidth: right.types.length,
      leftAppendOnly: node.leftAppendOnly || isAppendOnly(left, plan),
      rightAppendOnly: node.rightAppendOnly || isAppendOnly(right, plan),
      lookup,
      atEnd: plan.emit.kind === "pull",
    };
    const condition = residual === undefined ? undefined : compiled(residual);
    return new JoinOperator(name, keys, condition, options, this.#evaluation);
  }
}

/** How an operator that compares its answer with the last one gives it. */
function emissionOf(plan: PhysicalPlan): "per-record" | "per-step" | "at-end" {
  switch (plan.emit.kind) {
    case "pull":
      return "at-end";
    case "coalesced":
      return "per-step";
    case "changes":
    case "retractions":
      return "per-record";
    default:
      return unreachable(plan.emit);
  }
}

/** With NOT IN as one of its conditions: a row is a partner unless it is certain that it differs. */
function residualOf(node: Extract<PhysicalNode, { kind: "join" }>): Expression | undefined {
  const { residual, notIn } = node;
  if (notIn === undefined) return residual;
  const right = shiftColumns(notIn.right, node.left.types.length);
  const equal: Expression = { kind: "call", function: "=", args: [notIn.left, right], type: BOOLEAN };
  const maybe: Expression = { kind: "call", function: "IS NOT FALSE", args: [equal], type: BOOLEAN };
  return residual === undefined ? maybe : { kind: "and", args: [residual, maybe], type: BOOLEAN };
}

function compiledKey(key: SortKey): CompiledSortKey {
  return { ...key, expression: compiled(key.expression) };
}

function compiled(expression: Expression): CompiledExpression {
  return new CompiledExpression(expression);
}

function compiledCall(call: AggregateCall): ConstructorParameters<typeof AggregateOperator>[2][number] {
  return {
    function: call.function,
    args: call.args.map(compiled),
    distinct: call.distinct,
    type: call.type,
    filter: call.filter === undefined ? undefined : compiled(call.filter),
  };
}
