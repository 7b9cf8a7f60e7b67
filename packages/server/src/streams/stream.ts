import { z } from "zod";
import type { ShardId } from "../log/log-store.js";
import type { MetaCodec } from "../meta/table.js";
import { type HashRange, shardRange } from "./key-space.js";

/** `internal` streams are the server's own: never listed. `changes` also carry deletions. */
const streamKind = z.enum(["stream", "changes", "internal"]);
export type StreamKind = z.infer<typeof streamKind>;

const document = z.object({
  version: z.literal(1),
  name: z.string(),
  /** Never used again, unlike the name. */
  id: z.string(),
  kind: streamKind,
  replicationFactor: z.number().int(),
  /** How long records are kept, in seconds; 0 for ever. */
  backlogSeconds: z.number().int(),
  creationTimeMs: z.number(),
  /** In the order of their ranges of the key space. */
  shardIds: z.array(z.number().int()),
  /** The columns that SQL declared, in SQL's own form. */
  columns: z.array(z.json()).optional(),
  /** The column that holds a record's time, and how late it may be, in ms, where SQL said so. */
  timeColumn: z.string().optional(),
  latenessMs: z.number().optional(),
});

/** What the metadata store keeps of a stream. */
export type StreamDocument = Readonly<z.infer<typeof document>>;

export const streamCodec: MetaCodec<StreamDocument> = { parse: (json) => document.parse(json) };

/** What a caller says of a stream to be made. */
export interface StreamOptions {
  readonly name: string;
  /** 1 if absent. */
  readonly replicationFactor?: number;
  /** Seconds; 0, the default, keeps records for ever. */
  readonly backlogSeconds?: number;
  /** 1 if absent. */
  readonly shardCount?: number;
  /** "stream" if absent. Only internal streams may have names that begin with an underscore. */
  readonly kind?: StreamKind;
  readonly columns?: StreamDocument["columns"];
  readonly timeColumn?: string | undefined;
  readonly latenessMs?: number | undefined;
}

/** A part of a stream: the records whose keys hash into its range, in order. */
export interface Shard {
  readonly shardId: ShardId;
  readonly range: HashRange;
}

export function shardsOf(stream: StreamDocument): Shard[] {
  return stream.shardIds.map((shardId, index) => ({
    shardId,
    range: shardRange(index, stream.shardIds.length),
  }));
}
