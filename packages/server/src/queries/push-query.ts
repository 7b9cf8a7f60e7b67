import type { PhysicalPlan } from "@hstream/sql";
import { must } from "@hstream/proto";
import type { StepReport } from "../executor/step-input.js";
import type { SinkKind } from "../executor/execution.js";
import type { QueryExecution } from "../executor/executor-host.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import { StreamReader } from "../streams/stream-reader.js";
import { chunkLimits, recordInputs, refuseCorruption, sourceStreams } from "./query-input.js";
import type { QueryTools } from "./query-tools.js";

/**
 * A plan that follows the tails of its streams. The positions it starts from are fixed when it is made,
 * so whatever is appended after that is seen.
 */
export class PushQuery {
  readonly #tools: QueryTools;
  readonly #reader: StreamReader;
  /** The plan's sources that a shard feeds. */
  readonly #sourcesOf = new Map<ShardId, readonly number[]>();
  readonly execution: QueryExecution;

  constructor(tools: QueryTools, plan: PhysicalPlan, sink: SinkKind, start: "earliest" | "latest") {
    this.#tools = tools;
    const inputs = sourceStreams(plan, tools.streams);
    for (const { stream, sources } of inputs) {
      for (const shardId of stream.shardIds) this.#sourcesOf.set(shardId, sources);
    }
    this.#reader = new StreamReader(tools.log, { shardIds: [...this.#sourcesOf.keys()] }, { kind: start });
    this.execution = tools.executor.open(plan, sink, tools.env.clock.now());
  }

  /** The next batch that each shard will be read from: everything before it has been processed. */
  positions(): ReadonlyMap<ShardId, BatchId> {
    return this.#reader.positions();
  }

  /**
   * Reads and processes until the plan is finished or the signal is aborted (which rejects with its
   * reason). `advanced` is called whenever all that was read has been processed.
   */
  async *run(signal: AbortSignal, advanced: () => void = () => {}): AsyncGenerator<StepReport, undefined> {
    const { clock } = this.#tools.env;
    // What stands before any input: the one row of an aggregate without GROUP BY, say.
    yield* this.execution.feed([], clock.now());
    for (;;) {
      signal.throwIfAborted();
      const read = await this.#reader.read(chunkLimits);
      if (read === undefined) {
        await this.#reader.wait(signal);
        continue;
      }
      refuseCorruption(read.shardId, read);
      const sources = must(this.#sourcesOf.get(read.shardId), "only shards of the sources are read");
      for await (const report of this.execution.feed(recordInputs(sources, read.batches), clock.now())) {
        yield report;
        if (report.finished) return;
      }
      advanced();
    }
  }

  close(): void {
    this.#reader.close();
    this.execution.cancel();
  }
}
