import type { BoundStatement } from "@hstream/sql";
import { HStreamError } from "../../errors.js";
import type { StreamOptions } from "../../streams/stream.js";
import type { StreamCatalogue } from "../../streams/stream-catalogue.js";

type CreateStream = Extract<BoundStatement, { kind: "create-stream" }>;

/** Seven days, as streams that SQL makes have always had. */
const defaultRetentionSeconds = 604_800;

/** Resolves with a sentence about what was done. Rejects with StreamExists and as the catalogue does. */
export async function createStream(streams: StreamCatalogue, statement: CreateStream): Promise<string> {
  const { name, ifNotExists, columns } = statement;
  const options: StreamOptions = {
    name,
    replicationFactor: statement.replicationFactor ?? 1,
    backlogSeconds: statement.retentionSeconds ?? defaultRetentionSeconds,
    shardCount: statement.shardCount ?? 1,
    ...(columns.length === 0 ? {} : { columns: columns.map(({ name, type }) => ({ name, type })) }),
    timeColumn: statement.timestampColumn,
    latenessMs: statement.latenessMs,
    kind: statement.deletions === true ? "changes" : "stream",
  };
  const present = streams.find(name);
  if (statement.orReplace && present !== undefined) {
    const shardCount = present.shardIds.length;
    if (statement.shardCount !== undefined && statement.shardCount !== shardCount) {
      const message = `Stream ${name} has ${shardCount} shards, which cannot be changed; leave SHARDS out`;
      throw new HStreamError("InvalidSql", { message });
    }
    if (statement.deletions !== undefined && statement.deletions !== (present.kind === "changes")) {
      const message = `Whether stream ${name} has deletions cannot be changed; leave DELETIONS out`;
      throw new HStreamError("InvalidSql", { message });
    }
    await streams.redefine({ ...options, shardCount });
    return `Stream ${name} declared anew; its records stay.`;
  }
  try {
    await streams.create(options);
  } catch (error) {
    const exists = error instanceof HStreamError && error.kind === "StreamExists";
    if (!exists || !ifNotExists) throw error;
    // Somebody may just be making it.
    await streams.settled(name);
    if (streams.find(name) === undefined) throw error;
    return `Stream ${name} exists already.`;
  }
  return `Stream ${name} created.`;
}
