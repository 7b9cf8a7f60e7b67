import { z } from "zod";
import type { MetaCodec } from "../meta/table.js";

const state = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("running") }),
  z.object({ kind: z.literal("paused") }),
  /** By an error; it can be resumed. */
  z.object({ kind: z.literal("aborted"), reason: z.string() }),
  /** For good: by its user, or because its LIMIT was reached. */
  z.object({ kind: z.literal("terminated") }),
]);

const document = z.object({
  version: z.literal(1),
  /** Never used again, unlike the name. */
  id: z.string(),
  name: z.string(),
  kind: z.enum(["view", "stream", "insert"]),
  /** The statement that made it, which is planned anew at every start. */
  sql: z.string(),
  /** The view that it keeps, or the stream that it appends to. */
  relation: z.string(),
  creationTimeMs: z.number(),
  state,
  /** How often it has brought its thread down since its user last started it. */
  crashes: z.number().int().optional(),
  /** The first batch that it wanted of each shard. */
  start: z.array(z.tuple([z.number(), z.number()])),
  /** Of the stream that is made with it. */
  stream: z
    .object({
      replicationFactor: z.number(),
      backlogSeconds: z.number(),
      shardCount: z.number(),
      kind: z.enum(["stream", "changes"]),
      timeColumn: z.string().optional(),
      latenessMs: z.number().optional(),
    })
    .optional(),
});

/** A query that lives on, as the metadata store keeps it under `queries/<name>`. */
export type QueryDocument = Readonly<z.infer<typeof document>>;

export type QueryState = QueryDocument["state"];

export const queryCodec: MetaCodec<QueryDocument> = { parse: (json) => document.parse(json) };

/** As SHOW QUERIES and the system tables print it. */
export function stateText(state: QueryState): "RUNNING" | "PAUSED" | "ABORTED" | "TERMINATED" {
  return state.kind === "running"
    ? "RUNNING"
    : state.kind === "paused"
      ? "PAUSED"
      : state.kind === "aborted"
        ? "ABORTED"
        : "TERMINATED";
}

/** What the query is called as a user of streams and as the name of its holds. */
export function userOf({ name, id }: Pick<QueryDocument, "name" | "id">): string {
  return `${userPrefix}${name} (${id})`;
}

export const userPrefix = "query ";

/** The internal stream of a query: its first shard has its snapshots, its second its errors. */
export function ownStreamName(id: string): string {
  return `${ownStreamPrefix}${id}`;
}

export const ownStreamPrefix = "_query_";
