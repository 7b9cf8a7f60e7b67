import { assert, type ColumnDef, must } from "@hstream/proto";
import type { PhysicalPlan, SqlValue } from "@hstream/sql/runtime";
import { limits } from "../limits.js";
import { AnswerQueue } from "./answer-queue.js";
import type { SinkKind } from "./execution.js";
import { type InputLease, InputMemory } from "./input-memory.js";
import { countsMemory, type OperatorCount, readCounts } from "./operator-counts.js";
import {
  answersIn,
  type CallId,
  type ExecutionId,
  type FromWorker,
  type ToWorker,
  type WorkerSetup,
} from "./protocol.js";
import type { RecordBatchInput, StepInput, StepReport } from "./step-input.js";
import { type WatchTimers, WorkerHandle } from "./worker-handle.js";

export interface ExecutorHostOptions {
  /** For the watchdog. */
  readonly timers: WatchTimers;
  /** Threads; executions go to the one that has the fewest. Default 1. */
  readonly workers?: number;
  /** Where the worker's code is; by default beside this file. */
  readonly workerUrl?: URL;
  /** Instead of those of limits.ts. */
  readonly limits?: Partial<WorkerSetup["limits"]>;
  readonly stepBusyMsMax?: number;
}

export interface Snapshot {
  /** Encoded RowBatch messages, rows in the order of their keys. */
  readonly batches: readonly Uint8Array[];
  /** The answer's header, and the columns that the batches add. */
  readonly columns: readonly ColumnDef[];
}

/** Runs plans in worker threads. Main thread's side. */
export class ExecutorHost {
  /** Where input is best read into. */
  readonly inputMemory = new InputMemory();
  readonly #workers: readonly WorkerHandle[];
  #executions = 0;

  private constructor(workers: readonly WorkerHandle[]) {
    this.#workers = workers;
  }

  /** Starts the threads; resolves once they take work. */
  static async start(options: ExecutorHostOptions): Promise<ExecutorHost> {
    const workers = Array.from({ length: options.workers ?? 1 }, () => {
      return new WorkerHandle({
        timers: options.timers,
        workerUrl: options.workerUrl ?? new URL("./worker.js", import.meta.url),
        limits: { ...limits, ...options.limits },
        stepBusyMsMax: options.stepBusyMsMax ?? limits.stepBusyMsMax,
      });
    });
    await Promise.all(workers.map((worker) => worker.ready));
    return new ExecutorHost(workers);
  }

  /**
   * Begins to run a plan. `nowMs`: the clock for what stands before any input. `state`: what `save` gave, to
   * go on from; the execution fails with QueryStateUnreadable when it is not of this plan.
   */
  open(plan: PhysicalPlan, sink: SinkKind, nowMs: number, state?: readonly Uint8Array[]): QueryExecution {
    const worker = must(
      this.#workers.reduce<WorkerHandle | undefined>(
        (least, other) => (least === undefined || other.load < least.load ? other : least),
        undefined,
      ),
      "a host has workers",
    );
    this.#executions += 1;
    return new QueryExecution(worker, this.#executions, { plan, sink, nowMs, ...(state && { state }) });
  }

  /** Ends the threads; what runs fails with ShuttingDown. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}

type Answer = Extract<FromWorker, { kind: "report" | "snapshot" | "saved" }>;

type Opening = Omit<Extract<ToWorker, { kind: "open" }>, "kind" | "execution" | "counts">;

/**
 * A plan that runs in a worker. Calls are worked off in order; several may be on their way.
 *
 * The reports of a call come as they are made, one for each step, and a step has bounded output. The
 * worker stops while resultBatchesQueuedMax batches of this execution have not been taken, so a call's
 * reports must be read (or the iteration be left, which drops the rest); nothing else is done before.
 */
export class QueryExecution {
  readonly #worker: WorkerHandle;
  readonly #id: ExecutionId;
  /** Calls that are not answered to the end. */
  readonly #calls = new Map<CallId, AnswerQueue<Answer>>();
  /** What the worker reads the input of a call from. */
  readonly #leases = new Map<CallId, readonly InputLease[]>();
  readonly #plan: PhysicalPlan;
  readonly #counts: SharedArrayBuffer;
  #nextCall = 0;
  #failure: Error | undefined;
  /** Called when the execution is gone, also while nobody waits for an answer. */
  onFailed: (error: Error) => void = () => {};

  /** Use ExecutorHost.open. */
  constructor(worker: WorkerHandle, id: ExecutionId, opening: Opening) {
    this.#worker = worker;
    this.#id = id;
    worker.add(id, {
      onMessage: (message) => this.#receive(message),
      onFailed: (error) => this.#fail(error),
    });
    this.#plan = opening.plan;
    this.#counts = countsMemory(opening.plan);
    worker.post({ ...opening, kind: "open", execution: id, counts: this.#counts });
  }

  /** What each node of the plan has done so far, by its id; at once, whatever the worker does. */
  counts(): Map<number, OperatorCount> {
    return readCounts(this.#plan, this.#counts);
  }

  /**
   * Gives input; `nowMs` is the clock of its steps. Reading the reports throws an HStreamError when the
   * execution has failed. `withChanges`: the reports of a materialising execution have its changes, too.
   * `memory` is taken over: it is released when the input is used up. Payloads that lie in it stay there;
   * others are copied before this returns.
   */
  feed(
    inputs: readonly StepInput[],
    nowMs: number,
    withChanges = false,
    ...memory: readonly (InputLease | undefined)[]
  ): AsyncIterable<StepReport> {
    const leases = memory.flatMap((lease) => (lease === undefined ? [] : [lease]));
    const packed = packInputs(inputs, leases);
    const message = { kind: "feed", execution: this.#id, inputs: packed.inputs, nowMs, withChanges } as const;
    if (leases.length > 0) this.#leases.set(this.#nextCall, leases);
    return reportsOf(this.#call((call) => ({ ...message, call }), packed.transfer));
  }

  /** All input was given: the rest of the answer. */
  end(nowMs: number): AsyncIterable<StepReport> {
    return reportsOf(this.#call((call) => ({ kind: "end", execution: this.#id, call, nowMs })));
  }

  /**
   * The rows of a materialising execution, as they are after the feeds before this call; with `key` only the
   * row of that group key.
   */
  async snapshot(key?: readonly SqlValue[]): Promise<Snapshot> {
    const batches: Uint8Array[] = [];
    let columns: readonly ColumnDef[] = [];
    const message = { kind: "snapshot", execution: this.#id, key } as const;
    for await (const answer of this.#call((call) => ({ ...message, call }))) {
      if (answer.kind !== "snapshot" || answer.last) continue;
      batches.push(...answer.batches);
      columns = answer.columns;
    }
    return { batches, columns };
  }

  /**
   * The state after the feeds before this call, in chunks of at most stateChunkBytes: what `open` goes on
   * from. Only of a query without end that was fed before.
   */
  async save(): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = [];
    for await (const answer of this.#call((call) => ({ kind: "save", execution: this.#id, call }))) {
      if (answer.kind === "saved") chunks.push(...answer.batches);
    }
    return chunks;
  }

  /** Ends the execution. Calls that are under way end without an error. */
  cancel(): void {
    this.#worker.remove(this.#id);
    for (const queue of this.#calls.values()) void queue.return();
    this.#fail(new Error("the execution was cancelled"));
  }

  #call(message: (call: CallId) => ToWorker, transfer: readonly ArrayBuffer[] = []): AnswerQueue<Answer> {
    assert(
      this.#calls.size < limits.executionCallsQueuedMax,
      "calls wait for those before (executionCallsQueuedMax)",
    );
    const call = this.#nextCall++;
    const queue = new AnswerQueue<Answer>(
      (answer) => answersIn(answer.kind === "report" ? answer.report.output : answer.batches),
      (answers) => {
        if (this.#failure === undefined) this.#worker.post({ kind: "taken", execution: this.#id, answers });
      },
    );
    if (this.#failure === undefined) {
      this.#calls.set(call, queue);
      this.#worker.post(message(call), transfer);
    } else queue.fail(this.#failure);
    return queue;
  }

  #receive(message: Answer): void {
    const queue = this.#calls.get(message.call);
    if (message.last) {
      this.#calls.delete(message.call);
      for (const lease of this.#leases.get(message.call) ?? []) lease.release();
      this.#leases.delete(message.call);
    }
    queue?.push(message, message.last);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.onFailed(error);
    for (const queue of this.#calls.values()) queue.fail(error);
    this.#calls.clear();
    // The worker may still be reading: the blocks are not used again.
    this.#leases.clear();
  }
}

async function* reportsOf(answers: AsyncIterable<Answer>): AsyncGenerator<StepReport, undefined> {
  for await (const answer of answers) if (answer.kind === "report") yield answer.report;
}

/**
 * Input as it goes to the worker. What is in a SharedArrayBuffer already is passed as it is. The log's cached
 * payloads are shared with other readers, so they are not transferred, which would take them away; and posted
 * as they are, each would drag along a clone of the whole buffer it is a view of. So they are copied once, into
 * the room that is left in the leases, and what finds none there into one buffer that is transferred. (Where they
 * lie one behind the other the decoder's columns go on from one batch to the next.)
 */
function packInputs(
  inputs: readonly StepInput[],
  leases: readonly InputLease[],
): { inputs: StepInput[]; transfer: ArrayBuffer[] } {
  const copies = new Map<Uint8Array, Uint8Array>();
  const homeless: Uint8Array[] = [];
  let lease = 0;
  let length = 0;
  for (const input of inputs) {
    if (input.kind !== "records" && input.kind !== "rows") continue;
    for (const batch of input.batches) {
      const bytes = payloadOf(batch);
      if (bytes.buffer instanceof SharedArrayBuffer || copies.has(bytes)) continue;
      let room = leases[lease]?.take(bytes.length);
      while (room === undefined && lease < leases.length) room = leases[++lease]?.take(bytes.length);
      room?.set(bytes);
      copies.set(bytes, room ?? bytes);
      if (room !== undefined) continue;
      homeless.push(bytes);
      length += bytes.length;
    }
  }
  // Not from Node's pool, and not filled with zeros before it is written over.
  const { buffer } = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const bytes of homeless) {
    const copy = new Uint8Array(buffer, at, bytes.length);
    copy.set(bytes);
    copies.set(bytes, copy);
    at += bytes.length;
  }
  const packed = (bytes: Uint8Array): Uint8Array => copies.get(bytes) ?? bytes;
  const result = inputs.map((input): StepInput => {
    if (input.kind === "rows") return { ...input, batches: input.batches.map(packed) };
    if (input.kind !== "records") return input;
    const batches = input.batches.map((batch) => ({ ...batch, payload: packed(batch.payload) }));
    return { ...input, batches };
  });
  return { inputs: result, transfer: [buffer] };
}

function payloadOf(batch: RecordBatchInput | Uint8Array): Uint8Array {
  return batch instanceof Uint8Array ? batch : batch.payload;
}
