import type { StreamDocument } from "../../streams/stream.js";
import { integer, systemTable, text, timestamp } from "./system-table.js";

export const streamsTable = systemTable<StreamDocument>({
  name: "streams",
  help: "The streams that users made.",
  rows: ({ streams }) => streams.list(),
  columns: [
    text("name", "The stream's name.", ({ name }) => name),
    text("kind", "stream, or changes when it also carries deletions.", ({ kind }) => kind),
    integer("replication_factor", "Copies asked for.", ({ replicationFactor }) => replicationFactor),
    integer(
      "retention_seconds",
      "How long records are kept; 0 for ever.",
      ({ backlogSeconds }) => backlogSeconds,
    ),
    integer("shard_count", "Number of its shards.", ({ shardIds }) => shardIds.length),
    timestamp("created_at", "When it was made.", ({ creationTimeMs }) => creationTimeMs),
  ],
});
