import { ByteReader, ByteWriter, fromCode } from "./byte-cursor.js";
import type { BatchId } from "./log-store.js";
import { ProducerTable } from "./producer-table.js";
import { Shard, Shards } from "./shard.js";

const producerModes = ["contiguous", "monotone", "transient"] as const;

/*
 * The state of a log as a footer keeps it (everything that earlier frames add up to):
 *   u32 shards, for each:
 *     f64 shard id, f64 fence, f64 tail, f64 tail time, f64 trimmed up to, f64 first
 *     u32 holds, for each: text name, f64 from
 *     u32 producers, for each: text id, u32 mode, u32 appends,
 *       for each: f64 step, u32 chunk, f64 batch id, f64 time
 *   u32 deleted shards, for each: f64 shard id
 */
export function encodeState(shards: Shards): Uint8Array {
  const writer = new ByteWriter();
  const durable = [...shards.present.values()].filter((shard) => shard.state !== "creating");
  writer.uint32(durable.length);
  for (const shard of durable) encodeShard(writer, shard);
  writer.uint32(shards.deleted.size);
  for (const shardId of shards.deleted) writer.float64(shardId);
  return writer.finish();
}

function encodeShard(writer: ByteWriter, shard: Shard): void {
  writer.float64(shard.id);
  writer.float64(shard.fence);
  writer.float64(shard.tail);
  writer.float64(shard.tailTimeMs);
  writer.float64(shard.trimmedUpTo);
  writer.float64(shard.firstId);
  const holds = shard.holds ?? new Map<string, BatchId>();
  writer.uint32(holds.size);
  for (const [name, from] of holds) {
    writer.text(name);
    writer.float64(from);
  }
  const producers = shard.producers?.durableStates() ?? [];
  writer.uint32(producers.length);
  for (const { id, mode, appends } of producers) {
    writer.text(id);
    writer.uint32(producerModes.indexOf(mode));
    writer.uint32(appends.length);
    for (const { sequence, batchId, timeMs } of appends) {
      writer.float64(sequence.step);
      writer.uint32(sequence.chunk);
      writer.float64(batchId);
      writer.float64(timeMs);
    }
  }
}

/** Throws RangeError when the bytes are no state. */
export function decodeState(bytes: Uint8Array): Shards {
  const reader = new ByteReader(bytes);
  const shards = new Shards();
  for (const shard of reader.list(() => decodeShard(reader))) shards.present.set(shard.id, shard);
  for (const shardId of reader.list(() => reader.float64())) shards.deleted.add(shardId);
  if (!reader.atEnd) throw new RangeError("bytes follow the state");
  return shards;
}

function decodeShard(reader: ByteReader): Shard {
  const shard = new Shard(reader.float64());
  shard.fence = reader.float64();
  const tail = reader.float64();
  shard.advance(tail, reader.float64());
  shard.trimmedUpTo = reader.float64();
  shard.firstId = reader.float64();
  reader.list(() => {
    const name = reader.text();
    (shard.holds ??= new Map()).set(name, reader.float64());
  });
  reader.list(() => {
    const id = reader.text();
    const mode = fromCode(producerModes, reader.uint32());
    const appends = reader.list(() => ({
      sequence: { step: reader.float64(), chunk: reader.uint32() },
      batchId: reader.float64(),
      timeMs: reader.float64(),
      durable: true,
    }));
    (shard.producers ??= new ProducerTable()).restore({ id, mode, appends });
  });
  return shard;
}
