import { unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { Inflate } from "@hstream/proto";
import { Execution, type SnapshotPiece } from "./execution.js";
import { OperatorCounter } from "./operator-counts.js";
import {
  answersIn,
  type CallId,
  type ExecutionId,
  type FromWorker,
  heartbeatSlots,
  type ToWorker,
  type WorkerSetup,
} from "./protocol.js";

type Call =
  | Extract<ToWorker, { kind: "feed" }>
  | Extract<ToWorker, { kind: "end" }>
  | Extract<ToWorker, { kind: "snapshot" }>
  | Extract<ToWorker, { kind: "save" }>;

/** An execution in this worker, with the calls that wait for it. */
interface Guest {
  readonly id: ExecutionId;
  readonly execution: Execution;
  readonly calls: Call[];
  /** Whether the input of the feed at the head was given to the execution. */
  fed: boolean;
  snapshot: Generator<SnapshotPiece> | undefined;
  /** Chunks of the saved state that are to be sent. */
  saved: Uint8Array[] | undefined;
  /** Answers sent and not taken yet. */
  outstanding: number;
}

export type Post = (message: FromWorker, transfer: ArrayBuffer[]) => void;

/**
 * Many executions in one thread, a step of each in turn.
 *
 * State: the executions and their waiting calls.
 * Invariants: an execution's calls are worked off in order; while resultBatchesQueuedMax answers of an
 * execution are not taken, it does not get a turn; an execution that fails is removed, others go on.
 */
export class WorkerLoop {
  readonly #setup: WorkerSetup;
  readonly #inflate: Inflate;
  readonly #post: Post;
  readonly #monotonicMs: () => number;
  readonly #heartbeat: Int32Array;
  readonly #guests = new Map<ExecutionId, Guest>();
  /** In the order of their turns. */
  #turns: Guest[] = [];

  /** `monotonicMs`: only measures. */
  constructor(setup: WorkerSetup, inflate: Inflate, post: Post, monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#setup = setup;
    this.#inflate = inflate;
    this.#post = post;
    this.#heartbeat = new Int32Array(setup.heartbeat);
  }

  receive(message: ToWorker): void {
    switch (message.kind) {
      case "open":
        return this.#guarded(message.execution, () => {
          const execution = new Execution(
            message.plan,
            message.sink,
            message.nowMs,
            this.#inflate,
            this.#setup.limits,
            new OperatorCounter(message.plan, message.counts, this.#monotonicMs),
          );
          if (message.state !== undefined) execution.load(message.state, this.#alive);
          const { execution: id } = message;
          const guest: Guest = {
            id,
            execution,
            calls: [],
            fed: false,
            snapshot: undefined,
            saved: undefined,
            outstanding: 0,
          };
          this.#guests.set(id, guest);
          this.#turns.push(guest);
        });
      case "feed":
      case "end":
      case "snapshot":
      case "save":
        this.#guests.get(message.execution)?.calls.push(message);
        return;
      case "taken": {
        const guest = this.#guests.get(message.execution);
        if (guest !== undefined) guest.outstanding -= message.answers;
        return;
      }
      case "cancel":
        return this.#remove(message.execution);
      default:
        return unreachable(message);
    }
  }

  /** One step of the execution whose turn it is; false when none has anything to do. */
  runStep(): boolean {
    const at = this.#turns.findIndex((guest) => this.#isReady(guest));
    const guest = this.#turns[at];
    if (guest === undefined) return false;
    this.#turns.splice(at, 1);
    this.#turns.push(guest);
    this.#guarded(guest.id, () => this.#work(guest));
    return true;
  }

  #isReady(guest: Guest): boolean {
    return guest.calls.length > 0 && guest.outstanding < this.#setup.limits.resultBatchesQueuedMax;
  }

  #remove(id: ExecutionId): void {
    const guest = this.#guests.get(id);
    this.#guests.delete(id);
    this.#turns = this.#turns.filter((other) => other !== guest);
  }

  /** In the middle of something that is known to take its time: the watchdog sees that it goes on. */
  readonly #alive = (): void => void Atomics.add(this.#heartbeat, heartbeatSlots.beat, 2);

  #guarded(id: ExecutionId, run: () => void): void {
    Atomics.store(this.#heartbeat, heartbeatSlots.execution, id);
    Atomics.add(this.#heartbeat, heartbeatSlots.beat, 1);
    try {
      run();
    } catch (error) {
      this.#remove(id);
      const kind = error instanceof HStreamError ? error.kind : undefined;
      const message = error instanceof Error ? error.message : String(error);
      this.#post({ kind: "failed", execution: id, error: kind, message }, []);
    } finally {
      Atomics.add(this.#heartbeat, heartbeatSlots.beat, 1);
    }
  }

  #work(guest: Guest): void {
    const call = guest.calls[0];
    if (call === undefined) return;
    switch (call.kind) {
      case "feed":
        return this.#feed(guest, call);
      case "end":
        return this.#end(guest, call);
      case "snapshot":
        return this.#snapshot(guest, call);
      case "save":
        return this.#save(guest, call);
      default:
        return unreachable(call);
    }
  }

  #feed(guest: Guest, call: Extract<Call, { kind: "feed" }>): void {
    const { execution } = guest;
    if (!guest.fed) execution.feed(call.inputs, call.withChanges);
    guest.fed = true;
    const report = execution.step(call.nowMs);
    this.#answer(guest, call.call, report, !execution.pending);
  }

  #end(guest: Guest, call: Extract<Call, { kind: "end" }>): void {
    const { execution } = guest;
    if (execution.pending) return this.#answer(guest, call.call, execution.step(call.nowMs), false);
    const { done, report } = execution.finish();
    this.#answer(guest, call.call, report, done);
  }

  #snapshot(guest: Guest, call: Extract<Call, { kind: "snapshot" }>): void {
    if (guest.execution.pending) guest.execution.step(0);
    guest.snapshot ??= guest.execution.snapshot(call.key);
    const piece = guest.snapshot.next();
    const last = piece.done === true;
    if (last) this.#callDone(guest);
    const { batches, columns } = piece.done === true ? { batches: [], columns: [] } : piece.value;
    guest.outstanding += answersIn(batches);
    const { id: execution } = guest;
    this.#post({ kind: "snapshot", execution, call: call.call, batches, columns, last }, buffersOf(batches));
  }

  #save(guest: Guest, call: Extract<Call, { kind: "save" }>): void {
    guest.saved ??= guest.execution.save(this.#alive);
    const chunk = guest.saved.shift();
    const batches = chunk === undefined ? [] : [chunk];
    const last = guest.saved.length === 0;
    if (last) this.#callDone(guest);
    guest.outstanding += answersIn(batches);
    this.#post({ kind: "saved", execution: guest.id, call: call.call, batches, last }, buffersOf(batches));
  }

  #answer(guest: Guest, call: CallId, report: ReturnType<Execution["step"]>, last: boolean): void {
    if (last) this.#callDone(guest);
    guest.outstanding += answersIn(report.output);
    this.#post({ kind: "report", execution: guest.id, call, report, last }, buffersOf(report.output));
  }

  #callDone(guest: Guest): void {
    guest.calls.shift();
    guest.fed = false;
    guest.snapshot = undefined;
    guest.saved = undefined;
  }
}

/** What is handed over instead of copied: buffers that nobody here needs any more. */
function buffersOf(batches: readonly Uint8Array[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of batches) if (buffer instanceof ArrayBuffer) buffers.add(buffer);
  return [...buffers];
}
