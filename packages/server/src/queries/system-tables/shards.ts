import type { ShardDescription } from "../../log/log-store.js";
import { type Shard, shardsOf } from "../../streams/stream.js";
import { integer, systemTable, text, timestamp } from "./system-table.js";

interface Row {
  readonly stream: string;
  readonly shard: Shard;
  readonly description: ShardDescription;
}

export const shardsTable = systemTable<Row>({
  name: "shards",
  help: "The shards of all streams, and how far their logs go.",
  rows: ({ streams, log }) =>
    streams.list().flatMap((stream) =>
      shardsOf(stream).map((shard) => ({
        stream: stream.name,
        shard,
        description: log.describe(shard.shardId),
      })),
    ),
  columns: [
    text("stream_name", "The stream that it is a part of.", ({ stream }) => stream),
    integer("shard_id", "Its id, never used again.", ({ shard }) => shard.shardId),
    text("start_key", "Where its range of hashed keys begins.", ({ shard }) => String(shard.range.start)),
    text("end_key", "Where its range ends, inclusive.", ({ shard }) => String(shard.range.end)),
    integer("tail_batch_id", "Its newest batch; 0 when it has none.", ({ description }) => description.tail),
    integer(
      "trimmed_up_to",
      "Batches up to this one are gone; 0 when none is.",
      ({ description }) => description.trimmedUpTo,
    ),
    timestamp("last_append_at", "When its newest batch was appended.", ({ description: { tailTimeMs } }) =>
      tailTimeMs === 0 ? null : tailTimeMs,
    ),
    integer(
      "holds",
      "Views and queries that keep its records from being trimmed.",
      ({ description }) => description.holds.size,
    ),
  ],
});
