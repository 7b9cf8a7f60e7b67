import { z } from "zod";
import { HStreamError } from "../errors.js";
import type { Meter } from "../metrics/meter.js";
import type { HttpRooms } from "./http-rooms.js";

export const statsQuerySchema = z.object({
  category: z.enum(["stream_counter", "stream", "subscription_counter", "subscription"]),
  metrics: z.string().min(1).max(100).meta({ example: "append_in_bytes" }),
  interval: z
    .string()
    .regex(/^[1-9]\d{0,4}(ms|s|min|h)$/, "must be a number with ms, s, min or h, such as 1min")
    .default("1min"),
});

type StatsQuery = z.infer<typeof statsQuerySchema>;
type Row = Record<string, string | number>;

const unitMs = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 } as const;
const windowMsMax = 3_600_000;

/** The lanes behind the names that the API has for them. */
const streamLanes = {
  append_in_bytes: { of: "appends", lane: "bytes" },
  appends: { of: "appends", lane: "bytes" },
  append_in_records: { of: "appends", lane: "records" },
  append_in_requests: { of: "appends", lane: "requests" },
  append_total: { of: "appends", lane: "requests" },
  append_failed: { of: "appends", lane: "failed" },
  append_failed_requests: { of: "appends", lane: "failed" },
  read_in_bytes: { of: "reads", lane: "bytes" },
  read_in_batches: { of: "reads", lane: "requests" },
} as const;

const subscriptionLanes = {
  send_out_bytes: "bytes",
  sends: "bytes",
  send_out_records: "records",
  acks: "acks",
  acknowledgements: "acks",
  received_acks: "acks",
  response_messages: "responses",
} as const;

/** A row for each stream or subscription: a total, or a rate per second over the interval. */
export function clusterStats(rooms: HttpRooms, { category, metrics: name, interval }: StatsQuery): Row[] {
  const nowMs = rooms.metrics.now();
  const isCounter = category.endsWith("_counter");
  const column = isCounter ? name : `${name}_${interval}`;
  const value = <Lane extends string>(meter: Meter<Lane> | undefined, lane: Lane): number => {
    if (meter === undefined) return 0;
    return isCounter ? meter.total(lane) : Math.floor(meter.rate(lane, windowOf(interval), nowMs));
  };
  switch (category) {
    case "stream_counter":
    case "stream": {
      if (!isKey(streamLanes, name)) return refuse(name, Object.keys(streamLanes));
      const source = streamLanes[name];
      return rooms.streams.list().map((stream) => ({
        stream_name: stream.name,
        [column]:
          source.of === "appends"
            ? value(rooms.metrics.appends.find(stream.id), source.lane)
            : value(rooms.metrics.reads.find(stream.id), source.lane),
      }));
    }
    case "subscription_counter":
    case "subscription": {
      if (!isKey(subscriptionLanes, name)) return refuse(name, Object.keys(subscriptionLanes));
      const lane = subscriptionLanes[name];
      return rooms.subscriptions.list().map(({ id, uid }) => ({
        subscription_id: id,
        [column]: value(rooms.metrics.deliveries.find(uid), lane),
      }));
    }
  }
}

function windowOf(interval: string): number {
  const [, digits = "1", unit = "min"] = /^(\d+)(\D+)$/.exec(interval) ?? [];
  const ms = Number(digits) * unitMs[unit as keyof typeof unitMs];
  return Math.min(windowMsMax, ms);
}

function isKey<T extends object>(object: T, name: string): name is Extract<keyof T, string> {
  return Object.hasOwn(object, name);
}

function refuse(name: string, known: readonly string[]): never {
  throw new HStreamError("MalformedRequest", { reason: `${name} is none of ${known.join(", ")}` });
}
