import type { Relation, SqlValue } from "@hstream/sql";
import type { Timer } from "../env/env.js";
import { HStreamError } from "../errors.js";
import type { Snapshot } from "../executor/executor-host.js";
import { limits } from "../limits.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { StreamDocument } from "../streams/stream.js";
import type { Barrier } from "./barrier.js";
import { Deferred } from "./deferred.js";
import { ErrorStream } from "./error-stream.js";
import { type QueryDocument, type QueryState, userOf } from "./query-document.js";
import { type PlannedQuery, sinkOf, viewRelation } from "./query-planner.js";
import { noTotals, QueryProgress } from "./query-progress.js";
import type { QueryTools } from "./query-tools.js";
import { RecordSink } from "./record-sink.js";
import { RunningQuery } from "./running-query.js";
import { SnapshotStore, type StoredSnapshot } from "./snapshot-store.js";
import { ViewFeed } from "./view-feed.js";
import type { FollowedView } from "./view-inputs.js";

/** Where a query stands with others. */
export interface QuerySurroundings {
  readonly tools: QueryTools;
  readonly appender: StreamAppender;
  /** The views that it reads, by their ids. */
  readonly views: ReadonlyMap<string, FollowedView>;
  /** The stream that it appends to; undefined for a view. */
  readonly stream: StreamDocument | undefined;
  /** Its own internal stream. */
  readonly own: StreamDocument;
  /** Makes a state that it has come to durable. */
  readonly setState: (state: QueryState) => Promise<void>;
  /** Likewise how often it has brought its thread down. */
  readonly setCrashes: (crashes: number) => Promise<void>;
}

/**
 * A query that lives on: what runs of it at the moment, and how it goes on after a stop, a crash, or a
 * failure.
 *
 * State: at most one run. What it reads is held from the positions of its newest stored snapshot on (before
 * the first: from its start).
 */
export class PersistentQuery implements FollowedView {
  readonly #around: QuerySurroundings;
  readonly #planned: PlannedQuery;
  readonly #snapshots: SnapshotStore;
  readonly errors: ErrorStream;
  readonly feed = new ViewFeed();
  readonly relation: Relation;
  #document: QueryDocument;
  #run: Run | undefined;
  #progress: QueryProgress | undefined;
  #whenRunning = new Deferred<RunningQuery>();
  /** Settled while it is not meant to run. */
  #stopped = new Deferred<undefined>();
  #ending: Promise<void> = Promise.resolve();

  constructor(around: QuerySurroundings, document: QueryDocument, planned: PlannedQuery) {
    this.#around = around;
    this.#document = document;
    this.#planned = planned;
    this.relation = viewRelation(document, planned.query);
    const [snapshotShard = 0, errorShard = 0] = around.own.shardIds;
    this.#snapshots = new SnapshotStore(around.tools.log, snapshotShard);
    this.errors = new ErrorStream(around.tools.log, errorShard);
  }

  get name(): string {
    return this.#document.name;
  }

  get document(): QueryDocument {
    return this.#document;
  }

  get planned(): PlannedQuery {
    return this.#planned;
  }

  get progress(): QueryProgress | undefined {
    return this.#progress;
  }

  /** Whether it reads a stream or a view, or appends to that stream; not once it was terminated. */
  uses(relationId: string): boolean {
    if (this.#document.state.kind === "terminated") return false;
    return (
      this.#around.stream?.id === relationId ||
      this.#planned.query.sources.some((source) => source.id === relationId)
    );
  }

  /** Goes on from the newest snapshot, or begins. Does nothing when it runs. */
  start(): void {
    if (this.#run !== undefined || this.#document.state.kind !== "running") return;
    const run = new Run();
    this.#run = run;
    this.#ending = this.#live(run).finally(() => {
      if (this.#run === run) this.#run = undefined;
    });
  }

  /** Ends the run; its state is stored first if it shall go on later. Its state in the metadata is the caller's. */
  async stop(keep: boolean): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    run.stop(keep);
    await this.#ending;
  }

  /** The new state of its document. */
  become(document: QueryDocument): void {
    this.#document = document;
    if (document.state.kind !== "running") this.#stopped.resolve(undefined);
    else if (this.#run === undefined) this.#stopped = new Deferred();
  }

  /** The rows of a view at a barrier, with `key` one of them. Rejects at once when it does not run. */
  async snapshot(barrier: Barrier, key?: readonly SqlValue[]): Promise<Snapshot> {
    this.#refuseStopped();
    const answer = this.#atBarrier(barrier, (running) => running.snapshot(barrier, key));
    const stopped = this.#stopped.promise.then(() => this.#refuseStopped());
    return (await Promise.race([answer, stopped])) ?? (await answer);
  }

  /** One that does not run at the moment is waited for. */
  async reach(barrier: Barrier): Promise<void> {
    await this.#atBarrier(barrier, (running) => running.reach(barrier));
  }

  /** Why a barrier takes its time. */
  behind(barrier: Barrier): string {
    const running = this.#run?.running;
    return running === undefined ? "it is starting" : running.behind(barrier);
  }

  #refuseStopped(): void {
    const { state, relation } = this.#document;
    switch (state.kind) {
      case "running":
        return;
      case "aborted":
        throw new HStreamError("QueryFailed", { message: `View "${relation}" was aborted: ${state.reason}` });
      default:
        throw new HStreamError("ViewNotRunning", { view: relation, state: state.kind });
    }
  }

  /** A run that ends before it is there is followed by the next one. */
  async #atBarrier<T>(barrier: Barrier, ask: (running: RunningQuery) => Promise<T>): Promise<T> {
    for (;;) {
      const running = this.#run?.running ?? (await this.#whenRunning.promise);
      try {
        return await ask(running);
      } catch {
        if (barrier.cancelled !== undefined) throw barrier.cancelled;
        await running.closed;
      }
    }
  }

  /** Runs until it is stopped, has come to its end, or fails for good. Never rejects. */
  async #live(run: Run): Promise<void> {
    for (;;) {
      try {
        const end = await this.#runOnce(run);
        if (end === "finished") await this.#become({ kind: "terminated" });
        return;
      } catch (error) {
        if (run.isStopped) return;
        if (isLostWorker(error) && !(await this.#isTooMuch(error))) continue;
        const reason = error instanceof Error ? error.message : String(error);
        this.#around.tools.metrics?.failed(`query ${this.name}`, "QueryFailed", reason);
        await this.#become({ kind: "aborted", reason });
        return;
      }
    }
  }

  /** Each time counts, also those before a restart of the server. */
  async #isTooMuch(error: HStreamError): Promise<boolean> {
    if (error.extra !== "culprit") return false;
    const crashes = (this.#document.crashes ?? 0) + 1;
    try {
      await this.#around.setCrashes(crashes);
    } catch {
      this.become({ ...this.#document, crashes });
    }
    return crashes >= limits.queryCrashesMax;
  }

  async #become(state: QueryState): Promise<void> {
    try {
      await this.#around.setState(state);
    } catch {
      // What cannot be made durable is found out again after the next start.
      this.become({ ...this.#document, state });
    }
  }

  async #runOnce(run: Run): Promise<"stopped" | "finished"> {
    const found = await this.#stored();
    try {
      return await this.#runFrom(run, found);
    } catch (error) {
      const unreadable = error instanceof HStreamError && error.kind === "QueryStateUnreadable";
      if (!unreadable || found === undefined) throw error;
      this.#refuseIncomplete(error.message);
      return await this.#runFrom(run, undefined);
    }
  }

  /** What it goes on from; undefined: from its start, of which nothing was trimmed. */
  async #stored(): Promise<StoredSnapshot | undefined> {
    const found = await this.#snapshots.load();
    if (found.kind === "found") return found.snapshot;
    this.#refuseIncomplete(found.kind === "none" ? "It was never stored." : `${found.detail}.`);
    return undefined;
  }

  #refuseIncomplete(why: string): void {
    for (const [shardId, from] of this.#document.start) {
      const { trimmedUpTo } = this.#around.tools.log.describe(shardId);
      if (trimmedUpTo < from) continue;
      const message = `Its state is lost, and its input from the beginning, too: shard ${shardId} was trimmed up to ${trimmedUpTo}. ${why}`;
      throw new HStreamError("QueryFailed", { message });
    }
  }

  /** One that has brought a thread down goes on apart from the others. */
  async #tools(): Promise<QueryTools> {
    const { tools } = this.#around;
    if ((this.#document.crashes ?? 0) === 0 || tools.quarantine === undefined) return tools;
    return { ...tools, executor: await tools.quarantine() };
  }

  async #runFrom(run: Run, stored: StoredSnapshot | undefined): Promise<"stopped" | "finished"> {
    const { appender, stream, views } = this.#around;
    const tools = await this.#tools();
    const { plan } = this.#planned;
    const start = new Map<ShardId, BatchId>(stored?.head.positions ?? this.#document.start);
    const sink =
      stream === undefined ? undefined : new RecordSink(tools, appender, stream, run.stopping.signal);
    const running = new RunningQuery(tools, {
      plan,
      sink: sinkOf(this.#planned, stream),
      start,
      ...(stored === undefined ? {} : { state: stored.state }),
      views,
      ...(stream === undefined ? { feed: this.feed } : {}),
      save: () => save(),
      fed: (rows) => progress.fed(rows),
    });
    const progress: QueryProgress = new QueryProgress({
      ...{ id: this.#document.id, plan, metrics: tools.metrics },
      positions: () => running.positions(),
      totals: stored?.head.totals ?? noTotals,
      counts: () => running.execution.counts(),
    });
    this.#progress = progress;
    const save = async (): Promise<void> => {
      await sink?.settled();
      await this.#save(running, progress);
    };
    const timer = new Repeating(tools.env.timers, limits.querySnapshotEveryMs, () => running.requestSave());
    run.begin(running);
    this.#whenRunning.resolve(running);
    let reason: Error = new HStreamError("ShuttingDown", {});
    try {
      let finished = false;
      for await (const report of running.run(run.aborted.signal)) {
        progress.observe(report);
        this.errors.observe(report, tools.env.clock.now());
        await sink?.take(report.output);
        finished ||= report.finished;
      }
      await sink?.settled();
      if (run.keeps && !finished) await save();
      await this.errors.settled();
      return finished ? "finished" : "stopped";
    } catch (error) {
      reason = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      timer.cancel();
      this.#whenRunning = new Deferred();
      run.end();
      running.close(reason);
    }
  }

  /** Stores the state with its positions; then its inputs are held from there on. A log without room puts it off. */
  async #save(running: RunningQuery, progress: QueryProgress): Promise<void> {
    if (!running.takeFed()) return;
    const { log, env, metrics } = this.#around.tools;
    const positions = [...running.positions()];
    const state = await running.execution.save();
    try {
      await this.#snapshots.store({ positions, takenMs: env.clock.now(), totals: progress.totals }, state);
      await Promise.all(positions.map(([shardId, from]) => log.hold(shardId, userOf(this.#document), from)));
    } catch (error) {
      metrics?.failed(
        `query ${this.name}`,
        "snapshot",
        error instanceof Error ? error.message : String(error),
      );
    }
  }
}

/** One life of a query, between a start and a stop; a lost worker makes several runs of it. */
class Run {
  readonly aborted = new AbortController();
  /** Ends the waiting for a log that takes no appends. */
  readonly stopping = new AbortController();
  running: RunningQuery | undefined;
  isStopped = false;
  /** Whether it shall go on from where it was stopped. */
  keeps = false;

  begin(running: RunningQuery): void {
    this.running = running;
    if (this.isStopped) this.stop(this.keeps);
  }

  end(): void {
    this.running = undefined;
  }

  stop(keep: boolean): void {
    this.isStopped = true;
    this.keeps = keep;
    this.stopping.abort(new HStreamError("ShuttingDown", {}));
    if (keep) this.running?.stop();
    else this.aborted.abort(new HStreamError("ShuttingDown", {}));
  }
}

class Repeating {
  #timer: Timer | undefined;

  constructor(timers: QueryTools["env"]["timers"], everyMs: number, call: () => void) {
    const arm = (): void => {
      this.#timer = timers.after(everyMs, () => {
        arm();
        call();
      });
    };
    arm();
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}

function isLostWorker(error: unknown): error is HStreamError<"WorkerLost"> {
  return error instanceof HStreamError && error.kind === "WorkerLost";
}
