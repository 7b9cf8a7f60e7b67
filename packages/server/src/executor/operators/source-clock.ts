import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import type { StepInput } from "../step-input.js";

interface ShardTime {
  /** Largest time seen, less the lateness, or what was told; -infinity: nothing yet. */
  watermark: number;
  idle: boolean;
  /** How long there has been no record. */
  elapsedMs: number;
}

/**
 * Job: the watermark of a source: the least of its active shards' watermarks, a shard's being the largest time
 * seen in it less the lateness.
 * State: a watermark per shard, which are idle and since when.
 * Invariant: the watermark never falls; the one before a record does not depend on how records are batched.
 */
export class SourceClock {
  readonly #latenessMs: number;
  readonly #shards = new Map<number, ShardTime>();
  #watermark = Number.NEGATIVE_INFINITY;

  constructor(latenessMs: number) {
    this.#latenessMs = latenessMs;
  }

  get watermark(): number {
    return this.#watermark;
  }

  tell(input: Extract<StepInput, { kind: "shards" | "watermark" | "idle" }>): void {
    switch (input.kind) {
      case "shards":
        for (const shard of input.shards) this.#shard(shard);
        return;
      case "watermark": {
        const shard = this.#shard(input.shard);
        shard.watermark = Math.max(shard.watermark, input.timeMs);
        break;
      }
      case "idle":
        Object.assign(this.#shard(input.shard), { idle: true, elapsedMs: input.elapsedMs });
        break;
    }
    this.#rise(this.#least());
  }

  /** Records of a shard with their times: the watermark before each of them. */
  read(shardId: number, times: Float64Array, count: number): Float64Array {
    const before = new Float64Array(count);
    if (count === 0) return before;
    const shard = this.#shard(shardId);
    shard.idle = false;
    shard.elapsedMs = 0;
    let others = Number.POSITIVE_INFINITY;
    for (const other of this.#shards.values()) {
      if (other !== shard && !other.idle) others = Math.min(others, other.watermark);
    }
    let own = shard.watermark;
    let watermark = this.#watermark;
    for (let row = 0; row < count; row++) {
      before[row] = watermark;
      const reached = (times[row] as number) - this.#latenessMs;
      if (reached > own) own = reached;
      // The first may end a time in which other shards counted.
      else if (row > 0) continue;
      const least = Math.min(own, others);
      if (least > watermark) watermark = least;
    }
    shard.watermark = own;
    this.#rise(watermark);
    return before;
  }

  save(writer: StateWriter): void {
    writer.number(this.#watermark);
    writer.count(this.#shards.size);
    for (const [id, { watermark, idle, elapsedMs }] of this.#shards) {
      writer.number(id);
      writer.number(watermark);
      writer.flag(idle);
      writer.number(elapsedMs);
    }
  }

  load(reader: StateReader): void {
    this.#watermark = reader.number();
    for (let left = reader.count(); left > 0; left--) {
      const shard = this.#shard(reader.number());
      shard.watermark = reader.number();
      shard.idle = reader.flag();
      shard.elapsedMs = reader.number();
    }
  }

  #shard(id: number): ShardTime {
    let shard = this.#shards.get(id);
    if (shard === undefined) {
      shard = { watermark: Number.NEGATIVE_INFINITY, idle: false, elapsedMs: 0 };
      this.#shards.set(id, shard);
    }
    return shard;
  }

  /** When all are idle, time goes on in those that have given anything. */
  #least(): number {
    const shards = [...this.#shards.values()];
    const active = shards.filter(({ idle }) => !idle);
    if (active.length > 0) return Math.min(...active.map(({ watermark }) => watermark));
    const begun = shards.filter(({ watermark }) => Number.isFinite(watermark));
    if (begun.length === 0) return Number.NEGATIVE_INFINITY;
    return Math.min(...begun.map(({ watermark, elapsedMs }) => watermark + elapsedMs));
  }

  #rise(to: number): void {
    if (to > this.#watermark) this.#watermark = to;
  }
}
