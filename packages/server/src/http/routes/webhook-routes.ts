import { z } from "zod";
import type { HttpRooms } from "../http-rooms.js";
import { parseJson } from "../parse-json.js";
import { RecordIngest } from "../records/record-ingest.js";
import { type Answer, type Route, route } from "../route.js";
import { nameParams, userStream } from "../stream-names.js";

/** What EMQX sends for a message; it may send more, all of which is kept. */
const emqxSchema = z.looseObject({
  topic: z.string().optional().meta({ example: "sensors/1/temperature" }),
  payload: z.json().optional().meta({ example: '{"celsius":21.5}' }),
});

/** Webhooks of others, whose bodies are taken as they are. */
export function webhookRoutes({ streams, appender, recordBytesMax }: HttpRooms): Route[] {
  return [
    route({
      method: "POST",
      path: "/v1/webhooks/emqx/{name}",
      group: "Webhooks",
      summary: "Take a message of EMQX",
      description:
        "The body of EMQX's webhook becomes a record, with the topic as its key. A payload that is itself JSON becomes an object, so that SQL can look into it.",
      params: nameParams,
      body: emqxSchema,
      answers: { 204: { description: "The record is durable." } },
      errors: "problem",
      handle: async ({ params, body, raw }): Promise<Answer> => {
        const ingest = new RecordIngest({
          stream: userStream(streams, params.name),
          appender,
          recordBytesMax,
          key: body.topic ?? "",
          keyField: undefined,
          attributes: new Map([["source", "emqx"]]),
          attributesField: undefined,
          idempotencyKey: undefined,
        });
        const payload = typeof body.payload === "string" ? objectIn(body.payload) : body.payload;
        const record = payload === undefined ? body : { ...body, payload };
        raw.gone.throwIfAborted();
        await ingest.addJson(Buffer.from(JSON.stringify(record)));
        await ingest.finish();
        return { kind: "empty" };
      },
    }),
  ];
}

/** The object or array that a text is; else the text. */
function objectIn(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  return parseJson(text) ?? text;
}
