import { Worker } from "node:worker_threads";
import { unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import {
  type ExecutionId,
  type FromWorker,
  heartbeatSlots,
  protocolVersion,
  type ToWorker,
  type WorkerSetup,
} from "./protocol.js";

/** The part of the environment's timers that the watchdog needs. */
export interface WatchTimers {
  /** Calls `callback` once after `delayMs`. */
  after(delayMs: number, callback: () => void): { cancel(): void };
}

export interface WorkerHandleOptions {
  readonly timers: WatchTimers;
  /** The compiled worker.js, wherever the build has put it. */
  readonly workerUrl: URL;
  readonly limits: WorkerSetup["limits"];
  readonly stepBusyMsMax: number;
}

/** What the owner of an execution hears from its worker. */
export interface ExecutionListener {
  onMessage(message: Extract<FromWorker, { kind: "report" | "snapshot" | "saved" }>): void;
  /** The execution is gone. */
  onFailed(error: Error): void;
}

/** The watchdog looks so many times within the time that a step may take. */
const looksPerStep = 4;

/**
 * One worker thread that is always there: one that dies, or is busy with one step for longer than
 * stepBusyMsMax, is replaced, and its executions fail with the reason.
 *
 * State: the thread, the executions on it, and how often in a row the watchdog saw it in the same step.
 */
export class WorkerHandle {
  readonly #options: WorkerHandleOptions;
  readonly #listeners = new Map<ExecutionId, ExecutionListener>();
  #worker: Worker;
  #heartbeat = new Int32Array(new SharedArrayBuffer(0));
  #ready: Promise<void> = Promise.resolve();
  #watch: { cancel(): void } | undefined;
  #lastBeat = 0;
  #looksInStep = 0;
  #closed = false;
  #isReady = false;
  /** Why there is no thread any more: it could not even be started. */
  #dead: Error | undefined;

  constructor(options: WorkerHandleOptions) {
    this.#options = options;
    this.#worker = this.#start();
    this.#look();
  }

  /** Resolves once the thread takes messages; rejects when it could not be started. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Executions that are on it. */
  get load(): number {
    return this.#listeners.size;
  }

  add(execution: ExecutionId, listener: ExecutionListener): void {
    if (this.#dead === undefined) this.#listeners.set(execution, listener);
    else listener.onFailed(this.#dead);
  }

  remove(execution: ExecutionId): void {
    if (this.#listeners.delete(execution)) this.post({ kind: "cancel", execution });
  }

  post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    this.#failAll(() => new HStreamError("ShuttingDown", {}));
    await this.#worker.terminate();
  }

  #start(): Worker {
    const heartbeat = new SharedArrayBuffer(heartbeatSlots.count * Int32Array.BYTES_PER_ELEMENT);
    const setup: WorkerSetup = { version: protocolVersion, limits: this.#options.limits, heartbeat };
    const worker = new Worker(this.#options.workerUrl, { workerData: setup });
    this.#heartbeat = new Int32Array(heartbeat);
    this.#lastBeat = 0;
    this.#looksInStep = 0;
    this.#isReady = false;
    this.#ready = new Promise((resolve, reject) => {
      worker.on("message", (message: FromWorker) => {
        if (message.kind === "ready") {
          this.#isReady = true;
          resolve();
        } else if (worker === this.#worker) this.#receive(message);
      });
      worker.on("error", (error) => {
        reject(error);
        if (worker === this.#worker) this.#lost(`died (${error.message})`, this.#atWork());
      });
      worker.on("exit", (code) => {
        reject(new Error(`the worker ended with code ${code}`));
        if (worker === this.#worker) this.#lost(`ended with code ${code}`, this.#atWork());
      });
    });
    // Whoever waits for readiness hears of a failure; nobody has to.
    this.#ready.catch(() => undefined);
    return worker;
  }

  #receive(message: Exclude<FromWorker, { kind: "ready" }>): void {
    const listener = this.#listeners.get(message.execution);
    switch (message.kind) {
      case "report":
      case "snapshot":
      case "saved":
        listener?.onMessage(message);
        return;
      case "failed":
        this.#listeners.delete(message.execution);
        listener?.onFailed(failureOf(message));
        return;
      default:
        return unreachable(message);
    }
  }

  /** The execution of which a step was under way. */
  #atWork(): ExecutionId | undefined {
    const busy = Atomics.load(this.#heartbeat, heartbeatSlots.beat) % 2 !== 0;
    return busy ? Atomics.load(this.#heartbeat, heartbeatSlots.execution) : undefined;
  }

  /** The thread is gone, or given up: another takes its place. */
  #lost(what: string, culprit?: ExecutionId): void {
    if (this.#closed) return;
    const abandoned = this.#worker;
    // One that never became ready would fail again, and again.
    if (this.#isReady) this.#worker = this.#start();
    else this.#dead = new HStreamError("QueryFailed", { message: `The worker ${what} before it was ready.` });
    void abandoned.terminate();
    this.#failAll((execution) => {
      const whose =
        culprit === undefined
          ? "The worker"
          : execution === culprit
            ? "The query"
            : "Another query on the worker";
      const message = `${whose} ${what}; the worker was restarted and this query has lost its state.`;
      return new HStreamError("WorkerLost", { message }, execution === culprit ? "culprit" : null);
    });
  }

  #failAll(errorFor: (execution: ExecutionId) => Error): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const [execution, listener] of listeners) listener.onFailed(errorFor(execution));
  }

  /** Counts looks instead of reading a clock: when this thread was held up itself, that is one look. */
  #look(): void {
    const { stepBusyMsMax, timers } = this.#options;
    this.#watch = timers.after(stepBusyMsMax / looksPerStep, () => {
      if (this.#closed) return;
      const beat = Atomics.load(this.#heartbeat, heartbeatSlots.beat);
      this.#looksInStep = beat % 2 !== 0 && beat === this.#lastBeat ? this.#looksInStep + 1 : 0;
      this.#lastBeat = beat;
      if (this.#looksInStep >= looksPerStep) {
        const culprit = Atomics.load(this.#heartbeat, heartbeatSlots.execution);
        this.#lost(`was busy with one step for more than ${stepBusyMsMax} ms (stepBusyMsMax)`, culprit);
      }
      this.#look();
    });
  }
}

function failureOf({ error, message }: Extract<FromWorker, { kind: "failed" }>): Error {
  // The message was made where the error was; only the kind goes with it.
  if (error === undefined) return new HStreamError("QueryFailed", { message });
  const failure = new HStreamError(error, {});
  failure.message = message;
  return failure;
}
