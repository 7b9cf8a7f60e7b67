import { z } from "zod";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { BatchId, Fence, LogStore, ShardId } from "../log/log-store.js";

/**
 * The snapshots of one query, in an internal shard of its own. Each is a row of batches, which the log's
 * frames protect with checksums:
 *
 *   begin   01  JSON: format version, the snapshot's number, what belongs to it
 *   chunk   02  a part of the state (at most 1 MiB)      repeated
 *   end     03  JSON: the number, how many chunks there are
 *
 * A snapshot without its end, or with a part that is missing or cannot be read, does not count. Once one is
 * complete, those before it are trimmed.
 */
export const snapshotFormat = 1;

const kinds = { begin: 1, chunk: 2, end: 3 } as const;

const position = z.tuple([z.number(), z.number()]);

const head = z.object({
  /** The next batch of each shard. */
  positions: z.array(position),
  takenMs: z.number(),
  /** Since the query was made. */
  totals: z.object({
    rowsIn: z.number(),
    processed: z.number(),
    rowsOut: z.number(),
    diverted: z.number(),
    errors: z.number(),
  }),
});

/** What a state belongs to. */
export type SnapshotHead = Readonly<z.infer<typeof head>>;

const begin = z.object({ format: z.number(), number: z.number(), head: z.unknown() });
const end = z.object({ number: z.number(), chunks: z.number() });

export interface StoredSnapshot {
  readonly head: SnapshotHead;
  readonly state: readonly Uint8Array[];
}

/** What was found in a query's shard. */
export type FoundSnapshot =
  | { readonly kind: "found"; readonly snapshot: StoredSnapshot }
  /** There has never been one. */
  | { readonly kind: "none" }
  | { readonly kind: "unreadable"; readonly detail: string };

const readLimits = { batchesMax: 64, bytesMax: 8 * 1_048_576 };

/** Chunks that wait for the disk at a time. */
const chunksInFlight = 4;

export class SnapshotStore {
  readonly #log: LogStore;
  readonly #shardId: ShardId;
  #fence: Fence | undefined;
  #number = 0;

  constructor(log: LogStore, shardId: ShardId) {
    this.#log = log;
    this.#shardId = shardId;
  }

  /** The newest complete one. */
  async load(): Promise<FoundSnapshot> {
    const { tail, trimmedUpTo } = this.#log.describe(this.#shardId);
    if (tail === 0) return { kind: "none" };
    let found: StoredSnapshot | undefined;
    let problem = "its last snapshot is not complete";
    let open:
      | { readonly number: number; readonly head: SnapshotHead; readonly state: Uint8Array[] }
      | undefined;
    for (let from: BatchId = trimmedUpTo + 1; from <= tail; ) {
      const { batches, next, gap } = await this.#log.read(this.#shardId, from, readLimits);
      if (gap?.kind === "corrupt") {
        problem = gap.detail;
        open = undefined;
      }
      for (const { payload } of batches) {
        const rest = payload.subarray(1);
        if (payload[0] === kinds.begin) {
          const started = begin.parse(parseJson(rest));
          this.#number = Math.max(this.#number, started.number);
          if (started.format !== snapshotFormat) {
            problem = `a snapshot is of format ${started.format}, this server knows ${snapshotFormat}`;
            open = undefined;
          } else open = { number: started.number, head: head.parse(started.head), state: [] };
        } else if (payload[0] === kinds.chunk) open?.state.push(rest);
        else if (payload[0] === kinds.end) {
          const { number, chunks } = end.parse(parseJson(rest));
          if (open?.number === number && open.state.length === chunks) found = open;
          open = undefined;
        }
      }
      if (batches.length === 0 && gap === undefined) break;
      from = next;
    }
    if (found !== undefined) return { kind: "found", snapshot: found };
    // One that was begun and never completed is as if there had been none, if nothing was trimmed for it.
    return trimmedUpTo === 0 && problem === "its last snapshot is not complete"
      ? { kind: "none" }
      : { kind: "unreadable", detail: problem };
  }

  /** Durable when it resolves; then older ones are gone. */
  async store(head: SnapshotHead, state: readonly Uint8Array[]): Promise<void> {
    this.#fence ??= await this.#log.open(this.#shardId);
    this.#number += 1;
    const number = this.#number;
    const first = await this.#append(kinds.begin, encodeJson({ format: snapshotFormat, number, head }));
    for (let at = 0; at < state.length; at += chunksInFlight) {
      await Promise.all(
        state.slice(at, at + chunksInFlight).map((chunk) => this.#append(kinds.chunk, chunk)),
      );
    }
    await this.#append(kinds.end, encodeJson({ number, chunks: state.length }));
    await this.#log.trim(this.#shardId, first - 1);
  }

  async #append(kind: number, content: Uint8Array): Promise<BatchId> {
    const payload = new Uint8Array(1 + content.length);
    payload[0] = kind;
    payload.set(content, 1);
    const batch = { recordCount: 1, compression: 0, payload };
    const result = await this.#log.append(this.#shardId, batch, { fence: this.#fence ?? 0 });
    if (result.kind === "appended") return result.batchId;
    const reason = result.kind === "full" ? "there is no room" : result.kind;
    throw new HStreamError("AppendFull", {
      reason: `a snapshot was not stored: ${reason}`,
      max: limits.appendBytesInFlightMax,
    });
  }
}

function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}
