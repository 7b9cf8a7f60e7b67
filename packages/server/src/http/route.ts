import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { z } from "zod";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { Timers } from "../env/env.js";
import { parseJson } from "./parse-json.js";
import { readBody } from "./read-body.js";
import type { ErrorForm } from "./problem.js";

export type Method = "GET" | "POST" | "DELETE";

/** What a caller must be allowed to do; `nothing`: anybody may; `any`: whoever has a token. */
export type Need = "nothing" | "any" | "read" | "write";

/** A call that somebody wants to make. */
export interface Wish {
  /** The headers of that name: there should be one. */
  readonly authorization: readonly string[];
  readonly need: Exclude<Need, "nothing">;
  /** Method and path of the route. */
  readonly call: string;
}

/**
 * Checks who calls: at once whether the caller may do such things at all, and with the function that is
 * returned, whether with objects of these names. Both throw what the caller is told.
 */
export type Authorize = (wish: Wish) => (names: readonly string[]) => void;

/** What a call answers. */
export type Answer =
  | { readonly kind: "json"; readonly status?: number; readonly body: unknown }
  /** JSON that is encoded already, or any other text. */
  | { readonly kind: "text"; readonly type: string; readonly text: string }
  /** Sent as it is made; the iteration is left when the caller goes. */
  | { readonly kind: "stream"; readonly type: string; readonly chunks: AsyncIterable<string> }
  | { readonly kind: "empty" };

/** A request as it came, before anything is checked. */
export interface RawCall {
  readonly method: string;
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly stream: Readable;
  readonly id: string;
  /** Aborted when the caller has gone, or the server wants to end. */
  readonly gone: AbortSignal;
  readonly timers: Timers;
  /** The headers `authorization`, each for itself. */
  readonly authorization: readonly string[];
  readonly authorize: Authorize;
}

/** A request whose parts have been checked by the route's schemas. */
export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly raw: RawCall;
  header(name: string): string | undefined;
  /** Whether the caller asks for such an answer. */
  accepts(type: string): boolean;
  /** For what only the body tells: throws what the caller is told who may do no such things. */
  demand(need: Wish["need"]): void;
}

export interface RouteAnswer {
  readonly description: string;
  /** By media type; `undefined` for a stream or text that no schema describes. */
  readonly content?: Readonly<Record<string, z.ZodType | undefined>>;
}

interface RouteFacts {
  readonly method: Method;
  /** With its parameters in braces, as OpenAPI has it. */
  readonly path: string;
  readonly group: string;
  readonly summary: string;
  readonly description?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** As the method says if absent: GET reads, the others write. */
  readonly needs?: Need;
  readonly errors: ErrorForm;
}

/** Body of records, which the route reads itself: its media types. */
export interface RecordsBody {
  readonly kind: "records";
  readonly types: readonly string[];
}

export interface RouteDefinition<Params, Query, Body> extends RouteFacts {
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  /** A schema: JSON is read and checked. */
  readonly body?: z.ZodType<Body> | RecordsBody;
  readonly handle: (call: Call<Params, Query, Body>) => Answer | Promise<Answer>;
}

/** A route of any types: what the server and the OpenAPI document work with. */
export interface Route extends RouteFacts {
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | RecordsBody | undefined;
  readonly run: (raw: RawCall) => Promise<Answer>;
}

const nothing = z.object({});

/** Makes a route: the schemas that check its requests are those that document it. */
export function route<Params = unknown, Query = unknown, Body = undefined>(
  definition: RouteDefinition<Params, Query, Body>,
): Route {
  const { params, query, body, handle, ...facts } = definition;
  const run = async (raw: RawCall): Promise<Answer> => {
    const header = (name: string) => {
      const value = raw.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    };
    const need = definition.needs ?? (definition.method === "GET" ? "read" : "write");
    const wish = { authorization: raw.authorization, call: `${definition.method} ${definition.path}` };
    const allow = need === "nothing" ? undefined : raw.authorize({ ...wish, need });
    const call: Call<Params, Query, Body> = {
      params: check(params, raw.params, "its address"),
      query: check(query, raw.query, "its query"),
      body: (body === undefined || "kind" in body
        ? undefined
        : check(body, await readJson(raw), "its body")) as Body,
      raw,
      header,
      demand: (more) => void raw.authorize({ ...wish, need: more }),
      accepts: (type) => (header("accept") ?? "").toLowerCase().includes(type),
    };
    allow?.([...namesIn(call.params), ...namesIn(call.body)]);
    return handle(call);
  };
  return { ...facts, params, query, body, run };
}

/** The fields that name streams and subscriptions. */
const nameFields = ["name", "stream_name", "subscription_id", "streamName"];

function namesIn(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  return nameFields.flatMap((field) => {
    const value = Object.hasOwn(part, field) ? (part as Record<string, unknown>)[field] : undefined;
    return typeof value === "string" ? [value] : [];
  });
}

function check<T>(schema: z.ZodType<T> | undefined, value: unknown, what: string): T {
  const result = (schema ?? (nothing as unknown as z.ZodType<T>)).safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 5).map(({ path, message }) => {
    return path.length === 0 ? message : `${path.join(".")}: ${message}`;
  });
  throw new HStreamError("MalformedRequest", { reason: `${what} is wrong (${problems.join("; ")})` });
}

async function readJson(raw: RawCall): Promise<unknown> {
  refuseOtherTypes(raw, ["application/json"]);
  const bytes = await readBody(raw.stream, limits.httpBodyBytesMax, raw.timers);
  const value = isUtf8(bytes) ? parseJson(bytes.toString()) : undefined;
  if (value === undefined) {
    throw new HStreamError("MalformedRequest", { reason: "its body is no JSON, or nested too deep" });
  }
  return value;
}

/** The media type of the body, without its parameters. Throws UnsupportedMediaType for any other. */
export function refuseOtherTypes(raw: RawCall, accepted: readonly string[]): string {
  const encoding = raw.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new HStreamError("UnsupportedMediaType", {
      given: String(encoding),
      accepted: "no content encoding",
    });
  }
  const given = raw.headers["content-type"] ?? "";
  const type = String(given).split(";")[0]?.trim().toLowerCase() ?? "";
  if (accepted.includes(type)) return type;
  throw new HStreamError("UnsupportedMediaType", {
    given: type.slice(0, 100),
    accepted: accepted.join(" or "),
  });
}
