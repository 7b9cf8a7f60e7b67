import { assert } from "@hstream/proto";
import type { Env } from "../env/env.js";
import { limits } from "../limits.js";
import {
  type AppendResult,
  type BatchId,
  type Fence,
  LogError,
  type LogStore,
  type ShardId,
} from "../log/log-store.js";
import { MetaCore } from "./meta-core.js";
import { encodeEvent, encodeSnapshot } from "./meta-frame.js";
import type { MetaEvent } from "./meta-state.js";
import { MetaError, type Revision } from "./meta-store.js";
import { type Replayed, replay } from "./replay.js";

/** The shard of the log that belongs to the metadata. */
export const metaShardId: ShardId = 1;

export interface EmbeddedMetaOptions {
  /** A snapshot is taken after this many bytes of changes, or as many as the last one had. */
  readonly snapshotBytesMin: number;
  /** Size of a part of a snapshot. */
  readonly snapshotPartBytes: number;
}

const defaultOptions: EmbeddedMetaOptions = {
  snapshotBytesMin: limits.metaSnapshotBytesMin,
  snapshotPartBytes: limits.metaValueBytesMax,
};

/**
 * Metadata in an internal shard of the log: every change is a batch, its revision the batch's id. The
 * state is in memory. Snapshots keep the shard short: all before the last but one is trimmed, so that
 * a damaged snapshot can be replaced by the one before and the changes since.
 */
export class EmbeddedMeta extends MetaCore {
  readonly #log: LogStore;
  readonly #fence: Fence;
  readonly #options: EmbeddedMetaOptions;
  #failure: MetaError | undefined;
  #bytesSinceSnapshot: number;
  #snapshotting: Promise<void> | undefined;
  /** Everything up to here is in the newest snapshot. */
  #snapshotUpTo: Revision;
  /** Of the newest event, applied or not. */
  #number: number;
  /** Of the newest applied event. */
  #appliedNumber: number;
  #afterRefusal = false;

  private constructor(
    env: Env,
    log: LogStore,
    fence: Fence,
    options: EmbeddedMetaOptions,
    replayed: Replayed,
  ) {
    super(replayed.state, env.clock);
    this.#log = log;
    this.#fence = fence;
    this.#options = options;
    this.#bytesSinceSnapshot = replayed.bytes;
    this.#snapshotUpTo = replayed.snapshotUpTo;
    this.#number = replayed.number;
    this.#appliedNumber = replayed.number;
  }

  /**
   * Takes over the metadata in `log`, or begins with none. Rejects with MetaError failed when a change
   * cannot be read any more and no snapshot has it.
   */
  static async start(
    log: LogStore,
    env: Env,
    options: Partial<EmbeddedMetaOptions> = {},
  ): Promise<EmbeddedMeta> {
    if (!log.shards().includes(metaShardId)) await log.createShard(metaShardId);
    const fence = await log.open(metaShardId);
    const replayed = await replay(log, metaShardId);
    return new EmbeddedMeta(env, log, fence, { ...defaultOptions, ...options }, replayed);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#snapshotting;
  }

  protected async record(event: MetaEvent): Promise<Revision> {
    const number = ++this.#number;
    const payload = encodeEvent({ number, afterRefusal: this.#afterRefusal, event });
    this.#afterRefusal = false;
    const revision = await this.#append(payload);
    assert(revision > this.state.revision, "changes are applied in the order of the log");
    this.state.apply(event, revision);
    this.#appliedNumber = number;
    this.#bytesSinceSnapshot += payload.byteLength;
    const due = Math.max(this.#options.snapshotBytesMin, this.state.sizeBytes);
    if (this.#bytesSinceSnapshot >= due && this.#snapshotting === undefined) {
      this.#bytesSinceSnapshot = 0;
      this.#snapshotting = this.#snapshot().finally(() => {
        this.#snapshotting = undefined;
      });
    }
    return revision;
  }

  async #append(payload: Uint8Array): Promise<BatchId> {
    if (this.#failure !== undefined) throw this.#failure;
    let result: AppendResult;
    try {
      const batch = { recordCount: 1, compression: 0, payload };
      result = await this.#log.append(metaShardId, batch, { fence: this.#fence });
    } catch (error) {
      throw this.#fail(error);
    }
    switch (result.kind) {
      case "appended":
        return result.batchId;
      case "full":
        this.#afterRefusal = true;
        throw new MetaError("full", "No room for a change of the metadata. Free some, then try again.");
      case "fenced":
        throw this.#fail(new LogError("failed", "Somebody else has taken over the metadata."));
      default:
        throw this.#fail(
          new LogError("failed", `The log gave an answer that nobody asked for: ${result.kind}.`),
        );
    }
  }

  /** After an append without an answer the state may lack a change: no other may build on it. */
  #fail(cause: unknown): MetaError {
    this.#failure ??= new MetaError("failed", "A change of the metadata got no answer from the log.", cause);
    return this.#failure;
  }

  /** Writes the state and trims what the snapshot before this one covers. Never rejects. */
  async #snapshot(): Promise<void> {
    const upTo = this.state.revision;
    const parts = encodeSnapshot(this.state, this.#appliedNumber, this.#options.snapshotPartBytes);
    try {
      await Promise.all(parts.map((part) => this.#append(part)));
      await this.record({ kind: "mark" });
      await this.#log.trim(metaShardId, this.#snapshotUpTo);
      this.#snapshotUpTo = upTo;
    } catch (error) {
      // A snapshot that fails costs a longer replay; what failed the log fails the next change too.
      if (!(error instanceof MetaError) && !(error instanceof LogError)) this.#fail(error);
    }
  }
}
