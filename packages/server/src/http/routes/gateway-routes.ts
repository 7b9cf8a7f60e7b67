import { encodeHRecord, encodeRecordBatch, HStreamRecordHeader_Flag } from "@hstream/proto";
import { z } from "zod";
import { HStreamError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { StreamDocument } from "../../streams/stream.js";
import type { SubscriptionInfo } from "../../subscription/subscription-service.js";
import { clusterStats, statsQuerySchema } from "../cluster-stats.js";
import type { HttpRooms } from "../http-rooms.js";
import { type Answer, type Route, route } from "../route.js";
import { nameParams, nameSchema, userStream } from "../stream-names.js";

const streamSchema = z.object({
  stream_name: nameSchema,
  replication_factor: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional(),
  backlog_duration: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional()
    .describe("Seconds; 0 for ever."),
  shard_count: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional()
    // More is refused with an error of its own.
    .meta({ maximum: limits.shardsPerStreamMax }),
});

const subscriptionSchema = z.object({
  subscription_id: nameSchema,
  stream_name: nameSchema,
  ack_timeout_seconds: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  max_unacked_records: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  offset: z.enum(["EARLIEST", "LATEST", "earliest", "latest"]).optional(),
});

const recordSchema = z.object({
  key: z.string().max(1_024).optional(),
  type: z.enum(["RAW", "HRECORD"]),
  data: z
    .union([z.string(), z.record(z.string(), z.json())])
    .describe("A text for RAW, an object for HRECORD."),
});

const doneSchema = z.object({ msg: z.string() });
const done: Answer = { kind: "json", body: { msg: "success" } };
const [streamsGroup, subscriptionsGroup, clusterGroup] = ["Streams", "Subscriptions", "Cluster"] as const;

/** The calls of the later HTTP gateway, with its bodies and errors. */
export function gatewayRoutes(rooms: HttpRooms): Route[] {
  return [...streamRoutes(rooms), ...subscriptionRoutes(rooms), ...clusterRoutes(rooms)];
}

function streamRoutes({ streams, appender }: HttpRooms): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/streams",
      group: streamsGroup,
      summary: "List streams",
      answers: { 200: answer("The streams.", z.array(streamSchema)) },
      errors: "gateway",
      handle: () => ({ kind: "json", body: streams.list().map(streamBody) }),
    }),
    route({
      method: "POST",
      path: "/v1/streams",
      group: streamsGroup,
      summary: "Make a stream",
      body: streamSchema,
      answers: { 200: answer("It is there.", doneSchema) },
      errors: "gateway",
      handle: async ({ body }): Promise<Answer> => {
        await streams.create({
          name: body.stream_name,
          replicationFactor: body.replication_factor || 1,
          backlogSeconds: body.backlog_duration ?? 0,
          shardCount: body.shard_count || 1,
        });
        return done;
      },
    }),
    route({
      method: "GET",
      path: "/v1/streams/{name}",
      group: streamsGroup,
      summary: "Describe a stream",
      params: nameParams,
      answers: { 200: answer("The stream.", streamSchema) },
      errors: "gateway",
      handle: ({ params }) => ({ kind: "json", body: streamBody(userStream(streams, params.name)) }),
    }),
    route({
      method: "DELETE",
      path: "/v1/streams/{name}",
      group: streamsGroup,
      summary: "Delete a stream",
      params: nameParams,
      query: z.object({
        force: z.enum(["true", "false"]).optional().describe("Also when it has subscriptions."),
      }),
      answers: { 200: answer("It is gone.", doneSchema) },
      errors: "gateway",
      handle: async ({ params, query }): Promise<Answer> => {
        const { name } = userStream(streams, params.name);
        await streams.delete(name, { force: query.force === "true" });
        return done;
      },
    }),
    route({
      method: "POST",
      path: "/v1/streams/{name}",
      group: streamsGroup,
      summary: "Append a record",
      params: nameParams,
      body: recordSchema,
      answers: { 200: answer("It is durable.", z.object({ rid: z.string() })) },
      errors: "gateway",
      handle: async ({ params, body }): Promise<Answer> => {
        const stream = userStream(streams, params.name);
        const key = body.key ?? "";
        const record = { ...contentOf(body), key };
        const batch = { recordCount: 1, compression: 0, payload: encodeRecordBatch([record]) };
        const { shardId, batchId } = await appender.appendByKey(stream.name, key, batch, {
          patienceMs: limits.appendPatienceMs,
        });
        return { kind: "json", body: { rid: `${shardId}-${batchId}-0` } };
      },
    }),
  ];
}

function subscriptionRoutes({ subscriptions }: HttpRooms): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/subscriptions",
      group: subscriptionsGroup,
      summary: "List subscriptions",
      answers: { 200: answer("The subscriptions.", z.array(subscriptionSchema)) },
      errors: "gateway",
      handle: () => ({ kind: "json", body: subscriptions.list().map(subscriptionBody) }),
    }),
    route({
      method: "POST",
      path: "/v1/subscriptions",
      needs: "read",
      group: subscriptionsGroup,
      summary: "Make a subscription",
      body: subscriptionSchema,
      answers: { 200: answer("It is there.", doneSchema) },
      errors: "gateway",
      handle: async ({ body }): Promise<Answer> => {
        await subscriptions.create({
          id: body.subscription_id,
          streamName: body.stream_name,
          ackTimeoutSeconds: body.ack_timeout_seconds || 600,
          maxUnackedRecords: body.max_unacked_records || 10_000,
          offset: body.offset?.toUpperCase() === "LATEST" ? "latest" : "earliest",
        });
        return done;
      },
    }),
    route({
      method: "GET",
      path: "/v1/subscriptions/{name}",
      group: subscriptionsGroup,
      summary: "Describe a subscription",
      params: nameParams,
      answers: { 200: answer("The subscription.", subscriptionSchema) },
      errors: "gateway",
      handle: ({ params }) => ({ kind: "json", body: subscriptionBody(subscriptions.get(params.name)) }),
    }),
    route({
      method: "DELETE",
      path: "/v1/subscriptions/{name}",
      needs: "read",
      group: subscriptionsGroup,
      summary: "Delete a subscription",
      params: nameParams,
      query: z.object({
        force: z.enum(["true", "false"]).optional().describe("Also when it has consumers."),
      }),
      answers: { 200: answer("It is gone.", doneSchema) },
      errors: "gateway",
      handle: async ({ params, query }): Promise<Answer> => {
        await subscriptions.delete(params.name, { force: query.force === "true" });
        return done;
      },
    }),
  ];
}

function clusterRoutes(rooms: HttpRooms): Route[] {
  const nodeSchema = z.object({ node_id: z.int(), state: z.string(), address: z.string() });
  return [
    route({
      method: "GET",
      path: "/v1/cluster/status",
      needs: "any",
      group: clusterGroup,
      summary: "The nodes",
      answers: { 200: answer("The nodes.", z.array(nodeSchema)) },
      errors: "gateway",
      handle: () => {
        const nodes = rooms.cluster.view().members.map(({ id, host, port }) => {
          return { node_id: id, state: "Running", address: `${host}:${port}` };
        });
        return { kind: "json", body: nodes };
      },
    }),
    route({
      method: "GET",
      path: "/v1/cluster/stats",
      group: clusterGroup,
      summary: "What streams and subscriptions do",
      query: statsQuerySchema,
      answers: {
        200: answer(
          "A row for each object.",
          z.array(z.record(z.string(), z.union([z.string(), z.number()]))),
        ),
      },
      errors: "gateway",
      handle: ({ query }) => ({ kind: "json", body: clusterStats(rooms, query) }),
    }),
  ];
}

function contentOf({ type, data }: z.infer<typeof recordSchema>): { flag: number; payload: Uint8Array } {
  if (type === "RAW") {
    if (typeof data !== "string")
      throw new HStreamError("InvalidBatch", { reason: "The data of a RAW record is a text." });
    return { flag: HStreamRecordHeader_Flag.RAW, payload: Buffer.from(data) };
  }
  if (typeof data === "string") {
    throw new HStreamError("InvalidBatch", { reason: "The data of an HRECORD is a JSON object." });
  }
  const payload = encodeHRecord(data);
  if (payload instanceof Uint8Array) return { flag: HStreamRecordHeader_Flag.JSON, payload };
  throw new HStreamError("InvalidBatch", { reason: `The data cannot be stored: ${payload.reason}.` });
}

function answer(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": schema } };
}

function streamBody(stream: StreamDocument) {
  return {
    stream_name: stream.name,
    replication_factor: stream.replicationFactor,
    backlog_duration: stream.backlogSeconds,
    shard_count: stream.shardIds.length,
  };
}

function subscriptionBody(subscription: SubscriptionInfo) {
  return {
    subscription_id: subscription.id,
    stream_name: subscription.streamName,
    ack_timeout_seconds: subscription.ackTimeoutSeconds,
    max_unacked_records: subscription.maxUnackedRecords,
    offset: subscription.offset.toUpperCase(),
  };
}
