import { type RecordId, type ShardOffset, SpecialOffset, type StreamOffset } from "@hstream/proto";
import { HStreamClientError } from "../errors.js";
import { parseRecordId } from "../records/record-id.js";

/** A place in every shard of a stream. A number is ms since 1970, of the server's clock when it stored. */
export type StreamPlace = "earliest" | "latest" | { readonly time: Date | number };

/** A place in a shard: also a certain record. */
export type ShardPlace = StreamPlace | { readonly id: RecordId | string };

export function isRecordPlace(place: ShardPlace): place is { readonly id: RecordId | string } {
  return typeof place === "object" && "id" in place;
}

export function recordIdOf(id: RecordId | string): RecordId {
  return typeof id === "string" ? parseRecordId(id) : id;
}

export function toStreamOffset(place: StreamPlace): StreamOffset {
  if (place === "earliest") return { offset: { $case: "specialOffset", value: SpecialOffset.EARLIEST } };
  if (place === "latest") return { offset: { $case: "specialOffset", value: SpecialOffset.LATEST } };
  const timestampInMs = BigInt(millisecondsOf(place.time));
  return { offset: { $case: "timestampOffset", value: { timestampInMs, strictAccuracy: true } } };
}

export function toShardOffset(place: ShardPlace): ShardOffset {
  return isRecordPlace(place)
    ? { offset: { $case: "recordOffset", value: recordIdOf(place.id) } }
    : toStreamOffset(place);
}

function millisecondsOf(time: Date | number): number {
  const ms = Math.floor(Number(time));
  if (Number.isSafeInteger(ms)) return ms;
  throw new HStreamClientError({ reason: "usage", message: `${String(time)} is not a time.` });
}
