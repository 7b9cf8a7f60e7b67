import { z } from "zod";
import { HStreamError } from "../../errors.js";
import { limits } from "../../limits.js";
import { StreamReader } from "../../streams/stream-reader.js";
import type { HttpRooms } from "../http-rooms.js";
import { PartlyDone, problemOf, refusalOf } from "../problem.js";
import { readBody } from "../read-body.js";
import { RecordIngest, type RecordPlace } from "../records/record-ingest.js";
import { scanStream } from "../records/stream-scan.js";
import { recordTexts } from "../records/stored-records.js";
import { type Answer, type RawCall, refuseOtherTypes, type Route, route } from "../route.js";
import { eventStreamType, eventText, withHeartbeat } from "../server-sent-events.js";
import { nameParams, userStream } from "../stream-names.js";

const ndjson = "application/x-ndjson";
const lineTypes = [ndjson, "application/ndjson", "application/jsonl"];
const recordTypes = ["application/json", ...lineTypes];
const attributePrefix = "hstream-attribute-";

const appendedSchema = z.object({
  records: z.int().describe("Records that are durable now."),
  batches: z.int(),
  ids: z.array(z.string()).describe("Of the first 1000 records, as shard-batch-index."),
});

const recordSchema = z.object({
  id: z.string(),
  time: z.iso.datetime().describe("When it was appended."),
  key: z.string().optional(),
  attributes: z.record(z.string(), z.string()).optional(),
  value: z.json().optional().describe("Of a JSON record."),
  payload: z.string().optional().describe("Of any other record, in base64."),
});

/** Ms since 1970, or a moment of ISO 8601. */
const momentSchema = z
  .string()
  .refine((text) => momentOf(text) !== undefined, "not a moment: use ISO 8601, or ms since 1970")
  .meta({ example: "2026-01-31T12:00:00Z" });

function momentOf(text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) || ms < 0 ? undefined : ms;
}

const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^0*[1-9]\d{0,9}$/, "must be a whole number above 0")
    .transform(Number)
    .pipe(z.int().min(1).max(max));

const streamLimitMax = 1_000_000_000;

/** Records in, out, and as they come. */
export function recordRoutes(rooms: HttpRooms): Route[] {
  return [appendRoute(rooms), readRoute(rooms), liveRoute(rooms)];
}

function appendRoute({ streams, appender, env, recordBytesMax }: HttpRooms): Route {
  return route({
    method: "POST",
    path: "/v1/streams/{name}/records",
    group: "Records",
    summary: "Append records",
    description:
      "One JSON object, an array of objects, or a line for each object (ndjson), which may stream in without end. Answered once all are durable; records before a broken one stay appended, and the error says how many.",
    headers: {
      "hstream-key": "The key of all records, which decides their shard.",
      "hstream-attribute-NAME": "An attribute of all records.",
      "idempotency-key": "The same key with the same body again appends nothing twice.",
    },
    params: nameParams,
    query: z.object({
      key_field: z.string().min(1).max(255).optional().describe("The field that has each record's key."),
      attributes_field: z
        .string()
        .min(1)
        .max(255)
        .optional()
        .describe("The field that has each record's attributes: an object of texts, numbers and booleans."),
    }),
    body: { kind: "records", types: recordTypes },
    answers: { 200: { description: "All are durable.", content: { "application/json": appendedSchema } } },
    errors: "problem",
    handle: async ({ params, query, raw, header }): Promise<Answer> => {
      const type = refuseOtherTypes(raw, recordTypes);
      const ingest = new RecordIngest({
        stream: userStream(streams, params.name),
        appender,
        recordBytesMax,
        key: headerText("hstream-key", header("hstream-key") ?? "", 1_024),
        keyField: query.key_field,
        attributes: attributesOf(raw.headers),
        attributesField: query.attributes_field,
        idempotencyKey: idempotencyKeyOf(header("idempotency-key")),
      });
      try {
        if (type === "application/json") {
          await ingest.addJson(await readBody(raw.stream, limits.httpBodyBytesMax, env.timers));
        } else await ingest.addLines(raw.stream as AsyncIterable<Buffer>);
        const { records, batches, ids } = await ingest.finish();
        if (records === 0) throw new HStreamError("EmptyBatch", {});
        return { kind: "json", body: { records, batches, ids: ids.map(placeText) } };
      } catch (error) {
        await ingest.settle();
        throw new PartlyDone(error, ingest.appended);
      }
    },
  });
}

function readRoute({ streams, log, inflate }: HttpRooms): Route {
  return route({
    method: "GET",
    path: "/v1/streams/{name}/records",
    group: "Records",
    summary: "Read stored records",
    description:
      "Shard by shard, in order within each. With `Accept: application/x-ndjson` a line for each, without end.",
    params: nameParams,
    query: z.object({
      from: momentSchema.optional().describe("Appended at or after this moment."),
      until: momentSchema.optional().describe("Appended before this moment."),
      limit: wholeNumber(streamLimitMax).optional().describe("100 if absent; at most 10000 as JSON."),
    }),
    answers: {
      200: {
        description: "The records.",
        content: { "application/json": z.object({ records: z.array(recordSchema) }), [ndjson]: undefined },
      },
    },
    errors: "problem",
    handle: async ({ params, query, accepts }): Promise<Answer> => {
      const stream = userStream(streams, params.name);
      const asLines = lineTypes.some(accepts);
      const limit = query.limit ?? (asLines ? streamLimitMax : 100);
      if (!asLines && limit > limits.httpRecordsMax) {
        const max = limits.httpRecordsMax;
        throw new HStreamError("RequestTooLarge", { what: "The limit", max, limit: "httpRecordsMax" });
      }
      const fromMs = query.from === undefined ? undefined : momentOf(query.from);
      const untilMs = query.until === undefined ? undefined : momentOf(query.until);
      const texts = scanStream(log, inflate, stream, { fromMs, untilMs, limit });
      if (asLines) return { kind: "stream", type: ndjson, chunks: inLines(texts) };
      const records: string[] = [];
      let bytes = 0;
      for await (const text of texts) {
        bytes += text.length;
        if (bytes > limits.inflatedBytesMax) break;
        records.push(text);
      }
      return { kind: "text", type: "application/json", text: `{"records":[${records.join(",")}]}\n` };
    },
  });
}

function liveRoute({ streams, log, inflate, env }: HttpRooms): Route {
  return route({
    method: "GET",
    path: "/v1/streams/{name}/records/live",
    group: "Records",
    summary: "Follow a stream",
    description:
      "Server-sent events: each record that is appended from now on (or from the first, with `from=earliest`).",
    params: nameParams,
    query: z.object({ from: z.enum(["earliest", "latest"]).default("latest") }),
    answers: {
      200: { description: "Events, one for each record.", content: { [eventStreamType]: undefined } },
    },
    errors: "problem",
    handle: ({ params, query, raw }): Answer => {
      const stream = userStream(streams, params.name);
      const reader = new StreamReader(log, stream, { kind: query.from });
      const events = async function* () {
        // Headers reach the caller at once, so it knows that what it appends now will come.
        yield ": following\n\n";
        try {
          for (;;) {
            const read = await reader.read({ batchesMax: 100, bytesMax: limits.deliveryReadBytesMax });
            if (read === undefined) await reader.wait(raw.gone);
            for (const batch of read?.batches ?? []) {
              for (const text of recordTexts(batch, inflate)) yield eventText(text);
            }
            raw.gone.throwIfAborted();
          }
        } catch (error) {
          yield eventText(JSON.stringify(problemOf(refusalOf(error), raw.id)), "problem");
        } finally {
          reader.close();
        }
      };
      return { kind: "stream", type: eventStreamType, chunks: withHeartbeat(events(), env.timers) };
    },
  });
}

/** Lines put together, so that not each is a write of its own. */
async function* inLines(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let lines: string[] = [];
  let bytes = 0;
  for await (const text of texts) {
    lines.push(text);
    bytes += text.length;
    if (bytes < 64 * 1_024) continue;
    yield `${lines.join("\n")}\n`;
    lines = [];
    bytes = 0;
  }
  if (lines.length > 0) yield `${lines.join("\n")}\n`;
}

function placeText({ shardId, batchId, index }: RecordPlace): string {
  return `${shardId}-${batchId}-${index}`;
}

/** Header values are Latin-1 on the wire; people send UTF-8. */
function headerText(name: string, value: string, bytesMax: number): string {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length <= bytesMax) return bytes.toString("utf8");
  throw new HStreamError("MalformedRequest", {
    reason: `its header ${name} is longer than ${bytesMax} bytes`,
  });
}

function attributesOf(headers: RawCall["headers"]): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(attributePrefix) || value === undefined) continue;
    attributes.set(name.slice(attributePrefix.length), headerText(name, String(value), 1_024));
  }
  return attributes;
}

function idempotencyKeyOf(value: string | undefined): string | undefined {
  if (value === undefined || /^[\x21-\x7e]{1,200}$/.test(value)) return value;
  throw new HStreamError("MalformedRequest", {
    reason: "its idempotency-key is not 1 to 200 visible ASCII characters",
  });
}
