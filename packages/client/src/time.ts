import { type Timestamp, timestampToMs } from "@hstream/proto";

/** A protobuf timestamp, to the millisecond. */
export function toDate(time: Timestamp | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(timestampToMs(time));
}
