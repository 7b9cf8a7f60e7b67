import { assert, must } from "@hstream/proto";
import { z } from "zod";
import type { Env } from "../env/env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import { LogError, type LogStore, type ShardId } from "../log/log-store.js";
import { RelationNames } from "./relation-names.js";
import type { MetaStore } from "../meta/meta-store.js";
import { type MetaCodec, MetaTable } from "../meta/table.js";
import { Documents } from "./documents.js";
import { nameProblem } from "./names.js";
import { type StreamDocument, type StreamOptions, streamCodec } from "./stream.js";

/** What a deleted stream is called where its subscriptions live on. */
export const deletedStreamName = "__deleted_stream__";

const replicationFactorMax = 255;
const backlogSecondsMax = 2 ** 31 - 1;

const pendingShards = z.object({ shardIds: z.array(z.number().int()) });
type PendingShards = z.infer<typeof pendingShards>;
const pendingCodec: MetaCodec<PendingShards> = { parse: (json) => pendingShards.parse(json) };

/**
 * Which streams there are, and their lives from creation to deletion.
 *
 * Three documents take part, so that every step can be repeated after a crash:
 * - `streams/<name>`: the stream exists. Setting and deleting it are the moments that decide who of
 *   several callers wins.
 * - `archived-streams/<id>`: a deleted stream whose subscriptions live on.
 * - `pending-shards/<id>`: shards that belong to no stream yet, or no longer. At start, those of
 *   streams that neither exist nor are archived are deleted.
 */
export class StreamCatalogue {
  readonly #env: Env;
  readonly #log: LogStore;
  readonly #names: RelationNames;
  readonly #shardsMax: number;
  readonly #streams: Documents<StreamDocument>;
  readonly #archived: Documents<StreamDocument>;
  readonly #pending: Documents<PendingShards>;
  readonly #byId = new Map<string, StreamDocument>();
  /** Shards of live streams. */
  readonly #byShard = new Map<ShardId, StreamDocument>();
  /** Who needs a stream's data: ids of subscriptions by the stream's id. */
  readonly #users = new Map<string, Set<string>>();
  readonly #beingDeleted = new Set<string>();
  /** Who wants to hear of the end of a stream, by its id. */
  readonly #followers = new Map<string, Set<() => void>>();

  private constructor(
    env: Env,
    log: LogStore,
    names: RelationNames,
    documents: CatalogueDocuments,
    shardsMax: number,
  ) {
    this.#shardsMax = shardsMax;
    this.#env = env;
    this.#log = log;
    this.#names = names;
    ({ streams: this.#streams, archived: this.#archived, pending: this.#pending } = documents);
    names.addHolder((name) => this.find(name) !== undefined);
  }

  /** Loads the catalogue and finishes what a crash interrupted. `names` are shared with the views. */
  static async open(
    env: Env,
    log: LogStore,
    meta: MetaStore,
    names = new RelationNames(),
    shardsMax: number = limits.shardsMax,
  ): Promise<StreamCatalogue> {
    let catalogue: StreamCatalogue | undefined;
    const early: StreamDocument[] = [];
    const streams = await Documents.load(new MetaTable(meta, "streams/", streamCodec), (value, before) => {
      if (catalogue === undefined) early.push(...(value === undefined ? [] : [value]));
      else catalogue.#index(value, before);
    });
    const archived = await Documents.load(new MetaTable(meta, "archived-streams/", streamCodec));
    const pending = await Documents.load(new MetaTable(meta, "pending-shards/", pendingCodec));
    catalogue = new StreamCatalogue(env, log, names, { streams, archived, pending }, shardsMax);
    for (const stream of early) catalogue.#index(stream, undefined);
    await catalogue.#recover();
    return catalogue;
  }

  /** The stream of that name; internal ones too. */
  find(name: string): StreamDocument | undefined {
    return this.#streams.get(name);
  }

  /** The stream of that name. Throws StreamNotFound. */
  get(name: string): StreamDocument {
    const stream = this.find(name);
    if (stream === undefined) throw new HStreamError("StreamNotFound", { stream: name });
    return stream;
  }

  /** A stream by its id, be it live or archived. */
  byId(id: string): { readonly stream: StreamDocument; readonly archived: boolean } | undefined {
    const live = this.#byId.get(id);
    if (live !== undefined) return { stream: live, archived: false };
    const archived = this.#archived.get(id);
    return archived === undefined ? undefined : { stream: archived, archived: true };
  }

  /** The live stream that a shard belongs to. */
  ofShard(shardId: ShardId): StreamDocument | undefined {
    return this.#byShard.get(shardId);
  }

  /** The streams that users made, by name; internal ones are left out. */
  list(prefix = ""): StreamDocument[] {
    return this.#streams
      .entries()
      .map(([, stream]) => stream)
      .filter((stream) => stream.kind !== "internal" && stream.name.startsWith(prefix));
  }

  /** The server's own streams, by name. */
  listInternal(prefix: string): StreamDocument[] {
    return this.#streams
      .entries()
      .map(([, stream]) => stream)
      .filter((stream) => stream.kind === "internal" && stream.name.startsWith(prefix));
  }

  /** The streams, live or archived, that a user has registered for. */
  usedBy(user: string): StreamDocument[] {
    const ids = [...this.#users].filter(([, users]) => users.has(user)).map(([id]) => id);
    return ids.flatMap((id) => this.byId(id)?.stream ?? []);
  }

  /**
   * Makes a stream, whose shards exist before it can be seen. Of several callers with one name
   * exactly one succeeds; the others, and those with the name of a view, get StreamExists. Rejects with
   * the Invalid… errors and TooManyShardsInAll, too.
   */
  async create(options: StreamOptions): Promise<StreamDocument> {
    const { shardCount, ...checked } = checkOptions(options);
    const max = this.#shardsMax;
    if (this.#byShard.size + shardCount > max) throw new HStreamError("TooManyShardsInAll", { max });
    const release = this.#names.reserve(checked.name);
    if (release === undefined) throw new HStreamError("StreamExists", { stream: checked.name });
    try {
      const stream: StreamDocument = {
        version: 1,
        ...checked,
        id: Buffer.from(this.#env.random.bytes(8)).toString("hex"),
        creationTimeMs: this.#env.clock.now(),
        shardIds: Array.from({ length: shardCount }, () => this.#newShardId()),
      };
      await this.#makeDurable(stream);
      return stream;
    } finally {
      release();
    }
  }

  /** Resolves when no stream or view of that name is being made. */
  settled(name: string): Promise<void> {
    return this.#names.settled(name);
  }

  /**
   * Declares a stream anew: how long records are kept, and what SQL says of them. The records stay. Rejects
   * with StreamNotFound, and as `create` does. The number of shards cannot change.
   */
  async redefine(options: StreamOptions): Promise<StreamDocument> {
    const {
      shardCount,
      name,
      replicationFactor,
      backlogSeconds,
      kind: _,
      ...declared
    } = checkOptions(options);
    const { version, id, kind, creationTimeMs, shardIds } = this.get(name);
    assert(shardCount === shardIds.length, "a stream keeps its shards");
    const stream: StreamDocument = {
      ...{ version, name, id, kind, replicationFactor, backlogSeconds, creationTimeMs, shardIds },
      ...declared,
    };
    const result = await this.#streams.set(name, stream, this.#streams.revision(name));
    if (result.kind === "conflict") throw new HStreamError("StreamNotFound", { stream: name });
    return stream;
  }

  /**
   * Deletes a stream and its data. With users and `force` it is archived instead: no longer found
   * by name, but its data stay until the last user is gone. Of several callers exactly one succeeds.
   * False if there was none and `ignoreMissing` is set.
   */
  async delete(name: string, how: { force?: boolean; ignoreMissing?: boolean } = {}): Promise<boolean> {
    const stream = this.find(name);
    if (stream === undefined || this.#beingDeleted.has(stream.id)) {
      if (how.ignoreMissing === true) return false;
      throw new HStreamError("StreamNotFound", { stream: name });
    }
    const used = this.#isUsed(stream.id);
    if (used && how.force !== true) {
      // Users with a blank in their names say who they are; the others are ids of subscriptions.
      const by = [...(this.#users.get(stream.id) ?? [])].find((user) => user.includes(" "));
      throw new HStreamError("StreamHasSubscriptions", { stream: name, by });
    }
    this.#beingDeleted.add(stream.id);
    try {
      if (used) await this.#archived.set(stream.id, stream, this.#archived.revision(stream.id));
      else await this.#pending.set(stream.id, { shardIds: [...stream.shardIds] }, 0);
      const result = await this.#streams.set(name, undefined, this.#streams.revision(name));
      if (result.kind === "conflict") throw new HStreamError("StreamNotFound", { stream: name });
    } finally {
      this.#beingDeleted.delete(stream.id);
    }
    if (!used) await this.#dropPending(stream.id);
    else if (!this.#isUsed(stream.id)) await this.#dropArchived(stream);
    return true;
  }

  /**
   * Registers a user of the stream's data, named by an id; undefined when there is no such stream.
   * A stream with users cannot be deleted without force.
   */
  retain(name: string, user: string): StreamDocument | undefined {
    const stream = this.find(name);
    if (stream === undefined || this.#beingDeleted.has(stream.id)) return undefined;
    this.retainId(stream.id, user);
    return stream;
  }

  /** The same for a user that is known from before a restart. */
  retainId(streamId: string, user: string): void {
    const users = this.#users.get(streamId) ?? new Set();
    this.#users.set(streamId, users.add(user));
  }

  /** Ends a use. The data of an archived stream go with its last user. */
  async release(streamId: string, user: string): Promise<void> {
    const users = this.#users.get(streamId);
    users?.delete(user);
    if (users !== undefined && users.size > 0) return;
    this.#users.delete(streamId);
    const archived = this.#archived.get(streamId);
    if (archived !== undefined && !this.#beingDeleted.has(streamId)) await this.#dropArchived(archived);
  }

  /**
   * Calls back once the stream is deleted, also when its data stay for its users; at once if it is gone
   * already. The function returned forgets it.
   */
  onEnd(streamId: string, listener: () => void): () => void {
    if (!this.#byId.has(streamId)) {
      listener();
      return () => {};
    }
    const followers = this.#followers.get(streamId) ?? new Set();
    // A function of its own for each call, as the set tells them apart by it.
    const entry = () => listener();
    this.#followers.set(streamId, followers.add(entry));
    return () => {
      followers.delete(entry);
      if (followers.size === 0) this.#followers.delete(streamId);
    };
  }

  /** Once all users have been registered at start: lets go of archived streams that nobody needs. */
  async dropUnused(): Promise<void> {
    for (const [id, stream] of this.#archived.entries()) {
      if (!this.#isUsed(id)) await this.#dropArchived(stream);
    }
  }

  close(): void {
    for (const documents of [this.#streams, this.#archived, this.#pending]) documents.close();
  }

  async #makeDurable(stream: StreamDocument): Promise<void> {
    const { id, name, shardIds } = stream;
    await this.#pending.set(id, { shardIds: [...shardIds] }, 0);
    try {
      await Promise.all(shardIds.map((shardId) => this.#log.createShard(shardId)));
      const result = await this.#streams.set(name, stream, 0);
      if (result.kind === "conflict") throw new HStreamError("StreamExists", { stream: name });
    } finally {
      // Deletes the shards too, unless the stream exists now.
      await this.#dropPending(id);
    }
  }

  #isUsed(streamId: string): boolean {
    return (this.#users.get(streamId)?.size ?? 0) > 0;
  }

  #index(value: StreamDocument | undefined, before: StreamDocument | undefined): void {
    if (before !== undefined) {
      this.#byId.delete(before.id);
      for (const shardId of before.shardIds) this.#byShard.delete(shardId);
    }
    if (value !== undefined) {
      this.#byId.set(value.id, value);
      for (const shardId of value.shardIds) this.#byShard.set(shardId, value);
    } else if (before !== undefined) {
      for (const follower of [...(this.#followers.get(before.id) ?? [])]) follower();
      this.#followers.delete(before.id);
    }
  }

  async #recover(): Promise<void> {
    // A crash between archiving and deleting: the stream still exists, so it was not deleted.
    for (const [id] of this.#archived.entries()) {
      if (this.#byId.has(id)) await this.#archived.set(id, undefined, this.#archived.revision(id));
    }
    for (const [id] of this.#pending.entries()) await this.#dropPending(id);
  }

  /** Deletes shards that belong to no stream; forgets the note if they do. */
  async #dropPending(id: string): Promise<void> {
    const pending = must(this.#pending.get(id), "pending shards are noted before they are dropped");
    if (this.byId(id) === undefined) {
      for (const shardId of pending.shardIds) await this.#deleteShard(shardId);
    }
    await this.#pending.set(id, undefined, this.#pending.revision(id));
  }

  async #dropArchived(stream: StreamDocument): Promise<void> {
    await this.#pending.set(stream.id, { shardIds: [...stream.shardIds] }, this.#pending.revision(stream.id));
    await this.#archived.set(stream.id, undefined, this.#archived.revision(stream.id));
    await this.#dropPending(stream.id);
  }

  async #deleteShard(shardId: ShardId): Promise<void> {
    try {
      await this.#log.deleteShard(shardId);
    } catch (error) {
      if (!(error instanceof LogError && error.kind === "shard-not-found")) throw error;
    }
  }

  /**
   * Random in 2^52 … 2^53 − 1: 16 digits always, as record ids are compared as text; far from the
   * log's own shards; and so many that none comes twice.
   */
  #newShardId(): ShardId {
    const high = this.#env.random.uint32() % 2 ** 20;
    return 2 ** 52 + high * 2 ** 32 + this.#env.random.uint32();
  }
}

interface CatalogueDocuments {
  readonly streams: Documents<StreamDocument>;
  readonly archived: Documents<StreamDocument>;
  readonly pending: Documents<PendingShards>;
}

function checkOptions(options: StreamOptions) {
  const {
    name,
    replicationFactor = 1,
    backlogSeconds = 0,
    shardCount = 1,
    kind = "stream",
    columns,
    timeColumn,
    latenessMs,
  } = options;
  if (kind === "internal") assert(name.startsWith("_"), "internal names cannot be those of a user");
  else {
    const reason = nameProblem(name);
    if (reason !== undefined) throw new HStreamError("InvalidStreamName", { reason });
  }
  if (!isWithin(replicationFactor, 1, replicationFactorMax)) {
    throw new HStreamError("InvalidReplicationFactor", { value: replicationFactor });
  }
  if (!isWithin(shardCount, 1, limits.shardsPerStreamMax)) {
    throw new HStreamError("InvalidShardCount", { value: shardCount, max: limits.shardsPerStreamMax });
  }
  if (!isWithin(backlogSeconds, 0, backlogSecondsMax)) {
    throw new HStreamError("InvalidBacklogDuration", { value: backlogSeconds });
  }
  const declared = {
    ...(columns === undefined ? {} : { columns }),
    ...(timeColumn === undefined ? {} : { timeColumn }),
    ...(latenessMs === undefined ? {} : { latenessMs }),
  };
  return { name, replicationFactor, backlogSeconds, shardCount, kind, ...declared };
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
