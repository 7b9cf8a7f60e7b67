import { encodeHRecord, encodeRecordBatch, HStreamRecordHeader_Flag } from "@hstream/proto";
import { z } from "zod";
import { HStreamError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { StreamDocument } from "../../streams/stream.js";
import type { HttpRooms } from "../http-rooms.js";
import { parseJson } from "../parse-json.js";
import { type Answer, type Route, route } from "../route.js";
import { nameSchema, userStream } from "../stream-names.js";

const streamSchema = z.object({
  streamName: nameSchema,
  replicationFactor: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional(),
  backlogDuration: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional()
    .describe("Seconds; 0 for ever."),
  shardCount: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional()
    // More is refused with an error of its own.
    .meta({ maximum: limits.shardsPerStreamMax }),
});

const publishSchema = z.object({
  flag: z.union([z.literal(0), z.literal(1)]).describe("0: the payload is a JSON object; 1: any text."),
  payload: z.string().meta({ example: '{"a":1}' }),
});

const group = "As of HStreamDB 0.6";

/** The calls of HStreamDB 0.6, with its bodies: those of the gRPC messages as JSON. */
export function oldRoutes({ streams, appender }: HttpRooms): Route[] {
  return [
    route({
      method: "GET",
      path: "/streams",
      group,
      summary: "List streams",
      answers: { 200: answer("The streams.", z.object({ streams: z.array(streamSchema) })) },
      errors: "old",
      handle: () => ({ kind: "json", body: { streams: streams.list().map(toBody) } }),
    }),
    route({
      method: "POST",
      path: "/streams",
      group,
      summary: "Make a stream",
      body: streamSchema,
      answers: { 200: answer("The stream.", streamSchema) },
      errors: "old",
      handle: async ({ body }): Promise<Answer> => {
        const created = await streams.create({
          name: body.streamName,
          // Absent and 0 are the same in these messages.
          replicationFactor: body.replicationFactor || 1,
          backlogSeconds: body.backlogDuration ?? 0,
          shardCount: body.shardCount || 1,
        });
        return { kind: "json", body: toBody(created) };
      },
    }),
    route({
      method: "DELETE",
      path: "/streams/{name}",
      group,
      summary: "Delete a stream",
      params: z.object({ name: nameSchema }),
      answers: { 200: answer("It is gone.", z.object({})) },
      errors: "old",
      handle: async ({ params }): Promise<Answer> => {
        await streams.delete(userStream(streams, params.name).name);
        return { kind: "json", body: {} };
      },
    }),
    route({
      method: "POST",
      path: "/streams/{name}:publish",
      group,
      summary: "Append a record",
      params: z.object({ name: nameSchema }),
      body: publishSchema,
      answers: {
        200: answer(
          "It is durable.",
          z.object({
            streamName: z.string(),
            recordIds: z.array(z.object({ shardId: z.string(), batchId: z.string(), batchIndex: z.int() })),
          }),
        ),
      },
      errors: "old",
      handle: async ({ params, body }): Promise<Answer> => {
        const stream = userStream(streams, params.name);
        const flag = body.flag === 0 ? HStreamRecordHeader_Flag.JSON : HStreamRecordHeader_Flag.RAW;
        const payload = body.flag === 0 ? hrecordOf(body.payload) : Buffer.from(body.payload);
        const batch = {
          recordCount: 1,
          compression: 0,
          payload: encodeRecordBatch([{ flag, key: "", payload }]),
        };
        const { shardId, batchId } = await appender.appendByKey(stream.name, "", batch, {
          patienceMs: limits.appendPatienceMs,
        });
        const recordIds = [{ shardId: String(shardId), batchId: String(batchId), batchIndex: 0 }];
        return { kind: "json", body: { streamName: stream.name, recordIds } };
      },
    }),
  ];
}

/** A JSON object in a text, as records hold it. Throws InvalidBatch. */
export function hrecordOf(text: string): Uint8Array {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HStreamError("InvalidBatch", { reason: "The payload is no JSON object." });
  }
  const encoded = encodeHRecord(value as Parameters<typeof encodeHRecord>[0]);
  if (encoded instanceof Uint8Array) return encoded;
  throw new HStreamError("InvalidBatch", { reason: `The payload cannot be stored: ${encoded.reason}.` });
}

function answer(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": schema } };
}

function toBody(stream: StreamDocument) {
  return {
    streamName: stream.name,
    replicationFactor: stream.replicationFactor,
    backlogDuration: stream.backlogSeconds,
    shardCount: stream.shardIds.length,
  };
}
