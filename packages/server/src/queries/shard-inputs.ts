import { must } from "@hstream/proto";
import type { InputLease, InputMemory } from "../executor/input-memory.js";
import type { BatchId, LogStore, ShardId, StoredBatch } from "../log/log-store.js";
import { chunkLimits, refuseCorruption } from "./query-input.js";

/** Batches of one shard that come next. */
export interface ShardPiece {
  readonly shardId: ShardId;
  readonly batches: readonly StoredBatch[];
  /** The next batch once these have been processed. */
  readonly next: BatchId;
  /** What the batches may lie in; to be released when they have been processed. */
  readonly memory: InputLease | undefined;
}

interface ShardState {
  /** Everything before it has been processed. */
  position: BatchId;
  /** Read, and not processed. */
  waiting: readonly StoredBatch[];
  /** What these may lie in. */
  memory: InputLease | undefined;
  /** Where the next read goes on. */
  readFrom: BatchId;
}

/**
 * The shards that a query reads, in turn. A position moves only when what was read up to it has been
 * processed, so positions and the query's state belong together.
 */
export class ShardInputs {
  readonly #log: Pick<LogStore, "read" | "watch">;
  readonly #memory: InputMemory;
  readonly #shards = new Map<ShardId, ShardState>();
  /** Shards that may have something to read, the one whose turn it is first. */
  readonly #ready = new Set<ShardId>();
  readonly #stops: (() => void)[] = [];

  /** `start`: the next batch of each shard; `wake` is called when there may be something to read. */
  constructor(
    log: Pick<LogStore, "read" | "watch">,
    memory: InputMemory,
    start: ReadonlyMap<ShardId, BatchId>,
    wake: () => void,
  ) {
    this.#log = log;
    this.#memory = memory;
    for (const [shardId, position] of start) {
      this.#shards.set(shardId, { position, waiting: [], memory: undefined, readFrom: position });
      this.#ready.add(shardId);
      const ready = () => {
        this.#ready.add(shardId);
        wake();
      };
      this.#stops.push(log.watch(shardId, ready));
    }
  }

  /** The next batch of each shard that will be processed. */
  positions(): Map<ShardId, BatchId> {
    return new Map([...this.#shards].map(([shardId, { position }]) => [shardId, position]));
  }

  /** Whether the batch and all before it have been processed. */
  covers(shardId: ShardId, batchId: BatchId): boolean {
    const { position } = must(this.#shards.get(shardId), "the shard is one of the query's");
    return batchId === 0 || position > batchId;
  }

  /** What comes next of some shard, up to its `last` batch if it has one; undefined when nothing does. */
  async next(last: (shardId: ShardId) => BatchId | undefined): Promise<ShardPiece | undefined> {
    for (const shardId of [...this.#ready]) {
      const state = must(this.#shards.get(shardId), "a ready shard is known");
      const end = last(shardId) ?? Number.POSITIVE_INFINITY;
      // It waits for others; its turn comes again.
      if (state.waiting.length === 0 && state.readFrom > end) continue;
      this.#ready.delete(shardId);
      if (state.waiting.length === 0) {
        const memory = this.#memory.lease();
        const read = await this.#log.read(shardId, state.readFrom, chunkLimits, memory);
        refuseCorruption(shardId, read);
        state.waiting = read.batches;
        state.memory = memory;
        state.readFrom = read.next;
        if (read.batches.length === 0) {
          state.position = read.next;
          // At the tail; the watch brings it back. After a gap there may be more.
          if (read.gap !== undefined) this.#ready.add(shardId);
          continue;
        }
      }
      this.#ready.add(shardId);
      const count = countUpTo(state.waiting, end);
      if (count === 0) continue;
      const batches = state.waiting.slice(0, count);
      // The memory goes with the piece; the rest, which waits for others, has to do without.
      const rest = state.waiting
        .slice(count)
        .map((batch) => ({ ...batch, payload: new Uint8Array(batch.payload) }));
      state.waiting = [...batches, ...rest];
      return { shardId, batches, next: rest[0]?.batchId ?? state.readFrom, memory: state.memory };
    }
    return undefined;
  }

  /** The piece has been processed. */
  advance({ shardId, batches, next }: ShardPiece): void {
    const state = must(this.#shards.get(shardId), "the shard is one of the query's");
    state.position = next;
    state.waiting = state.waiting.slice(batches.length);
    state.memory = undefined;
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }
}

function countUpTo(batches: readonly StoredBatch[], end: BatchId): number {
  const beyond = batches.findIndex(({ batchId }) => batchId > end);
  return beyond < 0 ? batches.length : beyond;
}
