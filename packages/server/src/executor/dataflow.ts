import { assert, must, unreachable } from "@hstream/proto";
import type { AggregateCall, Expression, PhysicalNode, PhysicalPlan } from "@hstream/sql/runtime";
import { HStreamError } from "../errors.js";
import type { ChangeBatch } from "./columns.js";
import { CompiledExpression } from "./compile/compiled-expression.js";
import { Evaluation } from "./compile/evaluation.js";
import { type DivertedCounts, DivertedCounter, type Diversions } from "./decode/diverted.js";
import type { Inflate } from "@hstream/proto";
import { ErrorLog, type ErrorSummary } from "./error-log.js";
import { AggregateOperator } from "./operators/aggregate.js";
import { FilterOperator } from "./operators/filter.js";
import { LimitOperator } from "./operators/limit.js";
import type { Operator } from "./operators/operator.js";
import { ProjectOperator } from "./operators/project.js";
import { SortOperator } from "./operators/sort.js";
import { Source } from "./operators/source.js";
import { ValuesOperator } from "./operators/values.js";
import { groupKeysInOutput, isAppendOnly, updatesByKey } from "./plan-facts.js";
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

/** A node of the plan at work: batches that wait for it, and where its output goes. */
interface Stage {
  readonly operator: Operator;
  readonly parent: Stage | undefined;
  readonly port: number;
  readonly queue: { readonly batch: ChangeBatch; readonly port: number }[];
  finished: boolean;
}

/**
 * A plan at work: synchronous, deterministic, in steps. The caller feeds input, calls `step` while there
 * is `pending` input, and for a finite input at last `finish` until it is done. A step takes at most
 * stepRowsMax rows in; what an operator cannot give at once it gives when it is asked again.
 *
 * Invariant: between steps no batch waits, except while `finish` is under way; rows fed = rows that
 * went through + rows diverted.
 */
export class Dataflow {
  readonly #options: DataflowOptions;
  readonly #errors: ErrorLog;
  readonly #evaluation: Evaluation;
  readonly #sources: readonly Source[];
  /** The stages that read each source. */
  readonly #readers: readonly { readonly stage: Stage | undefined; readonly port: number }[][];
  /** Children before parents; the last is the root. */
  readonly #stages: Stage[] = [];
  #fold: Stage | undefined;
  #diverted = new DivertedCounter();
  #output: ChangeBatch[] = [];
  /** Sources with input, in the order in which it was fed. */
  readonly #inputs: Source[] = [];

  constructor(plan: PhysicalPlan, options: DataflowOptions) {
    this.#options = options;
    this.#errors = new ErrorLog(options.errorsKeptMax);
    this.#evaluation = new Evaluation(this.#errors, options.stepRowsMax);
    const divert: Diversions = { add: (reason, count) => this.#diverted.add(reason, count) };
    this.#sources = plan.sources.map((source) => new Source(source, options.inflate, divert, this.#errors));
    this.#readers = plan.sources.map(() => []);
    this.#build(plan.root, this.#foldAtEnd(plan), 0, plan);
    if (this.#fold !== undefined) this.#stages.push(this.#fold);
  }

  /** What stands before any input, such as the one row of an aggregate without GROUP BY. */
  start(nowMs: number): StepResult {
    this.#evaluation.nowMs = nowMs;
    return this.#inStep(() => {
      this.#endStep();
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

  get pending(): boolean {
    return this.#inputs.length > 0;
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
    this.#evaluation.nowMs = nowMs;
    return this.#inStep(() => {
      const rows = this.#readInput();
      this.#endStep();
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
      const batch = source.next(budget);
      if (batch === undefined || !source.pending) this.#inputs.shift();
      if (batch === undefined) continue;
      processed += batch.rowCount;
      budget -= Math.max(1, batch.rowCount + this.#diverted.total - before);
      if (batch.rowCount === 0) continue;
      for (const { stage, port } of must(
        this.#readers[this.#sources.indexOf(source)],
        "a source has readers",
      )) {
        this.#give(stage, port, batch);
      }
      this.#drain();
    }
    return processed;
  }

  #give(stage: Stage | undefined, port: number, batch: ChangeBatch): void {
    if (stage === undefined) this.#output.push(batch);
    else stage.queue.push({ batch, port });
  }

  /** Lets the stages work, those next to the root first, so that little waits in between. */
  #drain(): void {
    for (let at = this.#stages.length - 1; at >= 0; ) {
      const stage = this.#stages[at] as Stage;
      const next = stage.queue[0];
      if (next === undefined) {
        at -= 1;
        continue;
      }
      if (stage.operator.process(next.batch, next.port, this.#outOf(stage)) === "done") stage.queue.shift();
      at = this.#stages.length - 1;
    }
  }

  #outOf(stage: Stage): (batch: ChangeBatch) => void {
    return (batch) => this.#give(stage.parent, stage.port, batch);
  }

  #endStep(): void {
    for (const stage of this.#stages) {
      stage.operator.endStep(this.#outOf(stage));
      this.#drain();
    }
  }

  /** One piece of one stage's rest; whether all are done. */
  #finishSome(): boolean {
    for (const stage of this.#stages) {
      if (stage.finished) continue;
      stage.finished = stage.operator.finish(this.#outOf(stage)) === "done";
      this.#drain();
      if (!stage.finished || this.#output.length > 0) return this.#stages.every(({ finished }) => finished);
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
    this.#fold = { operator, parent: undefined, port: 0, queue: [], finished: false };
    return this.#fold;
  }

  #build(node: PhysicalNode, parent: Stage | undefined, port: number, plan: PhysicalPlan): void {
    if (node.kind === "source") {
      must(this.#readers[node.source], () => `the plan has a source ${node.source}`).push({
        stage: parent,
        port,
      });
      return;
    }
    const stage: Stage = { operator: this.#operator(node, plan), parent, port, queue: [], finished: false };
    if ("input" in node) this.#build(node.input, stage, 0, plan);
    this.#stages.push(stage);
  }

  #operator(node: Exclude<PhysicalNode, { kind: "source" }>, plan: PhysicalPlan): Operator {
    const name = `${node.kind} (operator ${node.id})`;
    const width = node.types.length;
    const evaluation = this.#evaluation;
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
        const retract = !(appendOnly && updatesByKey(plan, node) && byKey);
        const emission = pull ? "at-end" : node.emission;
        const options = { appendOnly, emission, retract } as const;
        return new AggregateOperator(
          name,
          node.keys.map(compiled),
          node.calls.map(compiledCall),
          options,
          evaluation,
        );
      }
      case "sort": {
        const keys = node.keys.map((key) => ({ ...key, expression: compiled(key.expression) }));
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
      case "shared":
      case "join":
      case "union-all":
      case "set-operation":
      case "top-n":
      case "window":
        throw new HStreamError("Unimplemented", { what: `The operator ${name}` });
      default:
        return unreachable(node);
    }
  }
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
