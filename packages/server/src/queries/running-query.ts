import type { PhysicalNode, PhysicalPlan, SqlValue } from "@hstream/sql";
import { must } from "@hstream/proto";
import { inputsOf } from "@hstream/sql/runtime";
import type { Timer } from "../env/env.js";
import type { SinkKind } from "../executor/execution.js";
import type { QueryExecution, Snapshot } from "../executor/executor-host.js";
import type { InputLease } from "../executor/input-memory.js";
import type { StepInput, StepReport } from "../executor/step-input.js";
import { limits } from "../limits.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import { Barrier } from "./barrier.js";
import { BarrierQueue, type Waiting } from "./barrier-queue.js";
import { Deferred } from "./deferred.js";
import { recordInputs, sourceStreams } from "./query-input.js";
import type { QueryTools } from "./query-tools.js";
import { ShardInputs } from "./shard-inputs.js";
import { SourceTimes } from "./source-times.js";
import type { ViewFeed } from "./view-feed.js";
import { type FollowedView, type ViewInput, ViewInputs } from "./view-inputs.js";
import { Wake } from "./wake.js";

export interface RunningQueryOptions {
  readonly plan: PhysicalPlan;
  readonly sink: SinkKind;
  /** The next batch of every shard of its streams. */
  readonly start: ReadonlyMap<ShardId, BatchId>;
  /** What was saved at these positions. */
  readonly state?: readonly Uint8Array[];
  /** By their ids. */
  readonly views: ReadonlyMap<string, FollowedView>;
  /** Rows that stand before all other input: those of system tables. */
  readonly rows?: readonly StepInput[];
  /** Of a view: who reads it. */
  readonly feed?: ViewFeed;
  /** Called between two pieces of input when `requestSave` was called before. */
  readonly save?: () => Promise<void>;
  /** Told after each piece of input how many records and rows it had. */
  readonly fed?: (rows: number) => void;
}

/** The next input, and what is to be done once it has been processed. */
interface Piece {
  readonly inputs: readonly StepInput[];
  readonly done: () => void;
  /** Records in it; rows of views are counted by the execution, which takes the difference to what it knows. */
  readonly records?: number;
  /** Whether it only tells of time. */
  readonly isTick?: boolean;
  /** What the input may lie in: goes with it. */
  readonly memory?: InputLease | undefined;
}

/**
 * A query without end at work: the one driver of push queries, views, and queries that append to streams.
 * It feeds what comes next of its streams and views, and between two pieces it does what others want of it:
 * snapshots at a barrier, all rows for a new reader, saving.
 *
 * Invariants: positions and the execution's state belong together whenever nothing is being fed; while
 * somebody waits for a barrier, nothing beyond it is fed.
 */
export class RunningQuery {
  readonly #tools: QueryTools;
  readonly #options: RunningQueryOptions;
  /** The plan's sources that a shard feeds. */
  readonly #sourcesOf = new Map<ShardId, readonly number[]>();
  readonly #shards: ShardInputs;
  readonly #views: ViewInputs;
  readonly #looksUp: boolean;
  readonly #times: SourceTimes;
  #tickWanted = false;
  #ticks: Timer | undefined;
  readonly #wake = new Wake();
  readonly #barriers = new BarrierQueue<ViewInput>();
  #saveWanted = false;
  #stopping = false;
  /** Of the execution, whether something was fed since it was asked last. */
  #fed = false;
  /** The execution is gone. */
  #failure: Error | undefined;
  #ended: Error | undefined;
  readonly #closed = new Deferred<undefined>();
  /** All rows, on their way since something was fed last. */
  #rows: Promise<Snapshot> | undefined;
  readonly execution: QueryExecution;

  constructor(tools: QueryTools, options: RunningQueryOptions) {
    this.#tools = tools;
    this.#options = options;
    const { plan, sink, start, state, views } = options;
    const inputs = sourceStreams(plan, tools.streams);
    for (const { stream, sources } of inputs) {
      for (const shardId of stream.shardIds) this.#sourcesOf.set(shardId, sources);
    }
    this.#looksUp = plan.shared?.some(looksUp) === true || looksUp(plan.root);
    const positions = new Map(
      [...this.#sourcesOf.keys()].map((shardId) => [shardId, start.get(shardId) ?? 0]),
    );
    this.#shards = new ShardInputs(tools.log, tools.executor.inputMemory, positions, this.#wake.set);
    this.#times = new SourceTimes(plan, inputs, tools.env.clock.now());
    this.execution = tools.executor.open(plan, sink, tools.env.clock.now(), state);
    this.execution.onFailed = (error) => {
      this.#failure ??= error;
      this.#wake.set();
    };
    this.#views = new ViewInputs(plan, views, this.#wake);
    const { feed } = options;
    if (feed !== undefined) {
      feed.restart();
      feed.onFollow = this.#wake.set;
    }
  }

  /** The next batch that each shard will be read from: everything before it has been processed. */
  positions(): ReadonlyMap<ShardId, BatchId> {
    return this.#shards.positions();
  }

  /** Whether something was fed since the last call. */
  takeFed(): boolean {
    const fed = this.#fed;
    this.#fed = false;
    return fed;
  }

  /** The rows of a materialising query (with `key` one of them) at a barrier. Rejects when the query ends before. */
  snapshot(barrier: Barrier, key?: readonly SqlValue[]): Promise<Snapshot> {
    return this.#at(barrier, () => (key === undefined ? this.#allRows() : this.execution.snapshot(key)));
  }

  /** Resolves when the query is at a barrier, and its readers have been told. */
  reach(barrier: Barrier): Promise<void> {
    return this.#at(barrier, () => Promise.resolve());
  }

  /** Which inputs are not at a barrier yet. */
  behind(barrier: Barrier): string {
    const shards = [...this.#sourcesOf.keys()];
    const open = shards.filter((shardId) => !this.#shards.covers(shardId, barrier.tailOf(shardId)));
    const views = [...(this.#barriers.find(barrier)?.views ?? [])];
    const parts = [
      ...(open.length === 0 ? [] : [`it still reads ${open.length} of ${shards.length} shards`]),
      ...views.map(({ view }) => `it waits for view "${view.name}"`),
    ];
    return parts.length === 0 ? "its rows are being gathered" : parts.join(", ");
  }

  requestSave(): void {
    this.#saveWanted = true;
    this.#wake.set();
  }

  /** Ends `run` between two pieces. */
  stop(): void {
    this.#stopping = true;
    this.#wake.set();
  }

  /**
   * Reads and processes until the plan is finished or `stop` is called; rejects with the signal's reason when
   * it is aborted, or as the execution fails. What is done with a report is done before what follows.
   */
  async *run(signal: AbortSignal): AsyncGenerator<StepReport, undefined> {
    if (this.#options.state === undefined) {
      const first = { inputs: [...this.#times.begin(), ...(this.#options.rows ?? [])], done: () => {} };
      // What stands before any input: the one row of an aggregate without GROUP BY, say.
      if (yield* this.#feed(first)) return;
    }
    this.#armTick();
    while (!this.#stopping) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      await this.#giveRows();
      await this.#passBarriers();
      if (this.#saveWanted) {
        this.#saveWanted = false;
        await this.#options.save?.();
      }
      const piece = this.#tick() ?? (await this.#next(signal));
      if (piece === undefined) await this.#wake.wait(signal);
      else if (yield* this.#feed(piece)) return;
    }
  }

  /** Whoever waits for a barrier is told `reason`. */
  close(reason: Error): void {
    this.#ended = reason;
    this.#ticks?.cancel();
    this.#shards.close();
    this.#views.close();
    this.#barriers.close(reason);
    this.execution.cancel();
    this.#closed.resolve(undefined);
  }

  /** Resolves after `close`. */
  get closed(): Promise<undefined> {
    return this.#closed.promise;
  }

  /** Whether the plan is finished. */
  async *#feed({ inputs, done, records, isTick, memory }: Piece): AsyncGenerator<StepReport, boolean> {
    const { feed } = this.#options;
    const withChanges = feed?.isFollowed === true;
    this.#rows = undefined;
    let finished = false;
    let rowsIn = 0;
    // Of a query that is not saved, positions only tell how far it has read.
    if (this.#options.save === undefined) done();
    const nowMs = this.#tools.env.clock.now();
    for await (const report of this.execution.feed(inputs, nowMs, withChanges, memory)) {
      if (withChanges && report.output.length > 0) feed.publish({ kind: "changes", batches: report.output });
      // A tick that closes nothing is not worth being saved.
      this.#fed ||= !isTick || report.rowsOut > 0;
      yield report;
      rowsIn += report.rowsIn;
      finished ||= report.finished;
    }
    if (this.#options.save !== undefined) done();
    this.#options.fed?.(records ?? rowsIn);
    return finished;
  }

  async #next(signal: AbortSignal): Promise<Piece | undefined> {
    const changes = this.#nextChanges();
    if (changes !== undefined) return changes;
    const { first } = this.#barriers;
    const piece = await this.#shards.next((shardId) => first?.barrier.tailOf(shardId));
    if (piece === undefined) return undefined;
    const sources = must(this.#sourcesOf.get(piece.shardId), "only shards of the sources are read");
    const records = recordInputs(sources, piece.batches);
    const done = () => this.#shards.advance(piece);
    this.#times.sawRecords(piece.shardId, this.#tools.env.clock.now());
    const { memory } = piece;
    if (!this.#looksUp) return { inputs: records, done, records: recordsIn(records), memory };
    const { inputs, complete } = await this.#viewsNow(signal);
    return complete ? { inputs: [...inputs, ...records], done, memory } : { inputs, done: () => {} };
  }

  #armTick(): void {
    const { emit } = this.#options.plan;
    if (!this.#times.matters && emit.kind !== "every") return;
    const everyMs =
      emit.kind === "every" ? Math.min(emit.intervalMs, limits.queryTickMs) : limits.queryTickMs;
    this.#ticks = this.#tools.env.timers.after(Math.max(1, everyMs), () => {
      this.#tickWanted = true;
      this.#wake.set();
      this.#armTick();
    });
  }

  /** Time goes on, unless somebody waits for a barrier, which stands for an earlier moment. */
  #tick(): Piece | undefined {
    if (!this.#tickWanted || this.#barriers.first !== undefined) return undefined;
    this.#tickWanted = false;
    const isRead = (shardId: ShardId) => this.#shards.covers(shardId, this.#tools.log.tail(shardId));
    return { inputs: this.#times.tick(this.#tools.env.clock.now(), isRead), done: () => {}, isTick: true };
  }

  /** Changes of a view that does not wait at a barrier. */
  #nextChanges(): Piece | undefined {
    const inputs = this.#views.next((input, barrier) => {
      const waiting = this.#barriers.find(barrier);
      // `run` lets it pass when all others are there, too.
      if (waiting?.views.delete(input) === true) this.#wake.set();
      return waiting !== undefined;
    });
    return inputs === undefined ? undefined : { inputs, done: () => {} };
  }

  /**
   * For look-ups: the changes of all views up to this moment (or the barrier that is waited for), so that a
   * record meets at least what was there when it was read.
   */
  async #viewsNow(signal: AbortSignal): Promise<{ inputs: StepInput[]; complete: boolean }> {
    const { first } = this.#barriers;
    const barrier = first?.barrier ?? new Barrier(this.#tools.log);
    if (first === undefined) this.#views.ask(barrier, this.#wake.set);
    return await this.#views.upTo(barrier, first === undefined, () => this.#stopping, signal);
  }

  /** All rows for those who have begun to follow, or have fallen behind. */
  async #giveRows(): Promise<void> {
    const { feed } = this.#options;
    for (let waiting = feed?.waiting() ?? []; waiting.length > 0; waiting = feed?.waiting() ?? []) {
      const { batches } = await this.execution.snapshot();
      for (const follower of waiting) follower.push({ kind: "rows", batches });
    }
  }

  async #at<T>(barrier: Barrier, run: () => Promise<T>): Promise<T> {
    if (this.#ended !== undefined) throw this.#ended;
    return await this.#barriers.at(barrier, run, () => {
      // Looked up now, in the moment that the barrier stands for.
      for (const shardId of this.#sourcesOf.keys()) barrier.tailOf(shardId);
      this.#views.ask(barrier);
      this.#wake.set();
      return this.#views.all;
    });
  }

  #covers({ barrier, views }: Waiting<ViewInput>): boolean {
    if (views.size > 0) return false;
    for (const shardId of this.#sourcesOf.keys()) {
      if (!this.#shards.covers(shardId, barrier.tailOf(shardId))) return false;
    }
    return true;
  }

  async #passBarriers(): Promise<void> {
    for (let { first } = this.#barriers; first !== undefined; first = this.#barriers.first) {
      const { cancelled } = first.barrier;
      if (cancelled !== undefined) {
        for (const { fail } of first.tasks) fail(cancelled);
      } else if (this.#covers(first)) {
        // Whoever has begun to follow meanwhile shall not miss it.
        await this.#giveRows();
        this.#options.feed?.publish({ kind: "barrier", barrier: first.barrier });
        await this.#barriers.runTasks(first);
      } else return;
      this.#barriers.shift();
    }
  }

  /** All rows; those who ask while they are under way, and nothing is fed, get the same answer. */
  #allRows(): Promise<Snapshot> {
    const known = this.#rows;
    if (known !== undefined) return known;
    const rows = this.execution.snapshot().finally(() => {
      if (this.#rows === rows) this.#rows = undefined;
    });
    this.#rows = rows;
    return rows;
  }
}

function recordsIn(inputs: readonly StepInput[]): number {
  let count = 0;
  for (const input of inputs) {
    if (input.kind === "records") for (const { recordCount } of input.batches) count += recordCount;
  }
  return count;
}

/** Whether a view is looked up at the moment of a stream's record. */
function looksUp(node: PhysicalNode): boolean {
  return (node.kind === "join" && node.lookup) || inputsOf(node).some(looksUp);
}
