import { assert, type ColumnDef, must } from "@hstream/proto";
import type { PhysicalPlan, SqlValue } from "@hstream/sql/runtime";
import { limits } from "../limits.js";
import { AnswerQueue } from "./answer-queue.js";
import type { SinkKind } from "./execution.js";
import { countsMemory, type OperatorCount, readCounts } from "./operator-counts.js";
import {
  answersIn,
  type CallId,
  type ExecutionId,
  type FromWorker,
  type ToWorker,
  type WorkerSetup,
} from "./protocol.js";
import type { StepInput, StepReport } from "./step-input.js";
import { InputMemory } from "./input-memory.js";
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
  readonly #workers: readonly WorkerHandle[];
  readonly #memory = new InputMemory();
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
    const opening = { plan, sink, nowMs, ...(state && { state }) };
    return new QueryExecution(worker, this.#executions, this.#memory, opening);
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
  readonly #memory: InputMemory;
  /** Calls that are not answered to the end. */
  readonly #calls = new Map<CallId, AnswerQueue<Answer>>();
  /** What the worker reads the records of a call from. */
  readonly #slabs = new Map<CallId, SharedArrayBuffer>();
  readonly #plan: PhysicalPlan;
  readonly #counts: SharedArrayBuffer;
  #nextCall = 0;
  #failure: Error | undefined;
  /** Called when the execution is gone, also while nobody waits for an answer. */
  onFailed: (error: Error) => void = () => {};

  /** Use ExecutorHost.open. */
  constructor(worker: WorkerHandle, id: ExecutionId, memory: InputMemory, opening: Opening) {
    this.#worker = worker;
    this.#memory = memory;
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
   * Gives input; `nowMs` is the clock of its steps. The payloads are copied before this returns. Reading
   * the reports throws an HStreamError when the execution has failed. `withChanges`: the reports of a
   * materialising execution have its changes, too.
   */
  feed(inputs: readonly StepInput[], nowMs: number, withChanges = false): AsyncIterable<StepReport> {
    const packed = packInputs(inputs, this.#memory);
    const message = { kind: "feed", execution: this.#id, inputs: packed.inputs, nowMs, withChanges } as const;
    const { slab } = packed;
    // Unless the execution has failed, the call is numbered now.
    if (slab !== undefined && this.#failure === undefined) this.#slabs.set(this.#nextCall, slab);
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
      const slab = this.#slabs.get(message.call);
      if (slab !== undefined) this.#memory.give(slab);
      this.#slabs.delete(message.call);
    }
    queue?.push(message, message.last);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.onFailed(error);
    for (const queue of this.#calls.values()) queue.fail(error);
    this.#calls.clear();
    // The worker may be reading them still: they are not used again.
    this.#slabs.clear();
  }
}

async function* reportsOf(answers: AsyncIterable<Answer>): AsyncGenerator<StepReport, undefined> {
  for await (const answer of answers) if (answer.kind === "report") yield answer.report;
}

/**
 * Input as it goes to the worker. The log's cached payloads are shared with other readers, so they are not
 * transferred, which would take them away; and posted as they are, each would drag along a clone of the whole
 * buffer it is a view of. So they are copied once: many records into memory that is shared with the worker, which has
 * read them when it has answered the call; few of them, and rows, which may be kept longer, into a buffer that is
 * handed over. (In one buffer, too, the decoder's columns go on from one batch to the next.)
 */
function packInputs(
  inputs: readonly StepInput[],
  memory: InputMemory,
): { inputs: StepInput[]; transfer: ArrayBuffer[]; slab: SharedArrayBuffer | undefined } {
  let recordBytes = 0;
  let rowBytes = 0;
  for (const input of inputs) {
    if (input.kind === "records") for (const { payload } of input.batches) recordBytes += payload.length;
    else if (input.kind === "rows") for (const rows of input.batches) rowBytes += rows.length;
  }
  const slab = recordBytes < sharedBytesMin ? undefined : memory.take(recordBytes);
  // Not from Node's pool, and not filled with zeros before it is written over.
  const owned = Buffer.allocUnsafeSlow(slab === undefined ? recordBytes + rowBytes : rowBytes).buffer;
  const intoOwned = copierInto(owned);
  const intoSlab = slab === undefined ? intoOwned : copierInto(slab);
  const result = inputs.map((input): StepInput => {
    if (input.kind === "rows") return { ...input, batches: input.batches.map(intoOwned) };
    if (input.kind !== "records") return input;
    const batches = input.batches.map((batch) => ({ ...batch, payload: intoSlab(batch.payload) }));
    return { ...input, batches };
  });
  return { inputs: result, transfer: [owned], slab };
}

/** Below this a buffer of its own is cheaper than to keep a slab busy. */
const sharedBytesMin = 65_536;

/** Puts bytes one behind the other into `memory`. */
function copierInto(memory: ArrayBuffer | SharedArrayBuffer): (bytes: Uint8Array) => Uint8Array {
  const all = new Uint8Array(memory);
  let at = 0;
  return (bytes) => {
    all.set(bytes, at);
    at += bytes.length;
    return new Uint8Array(memory, at - bytes.length, bytes.length);
  };
}
