import { z } from "zod";
import { gatewayErrorSchema, oldErrorSchema, problemSchema } from "./problem.js";
import type { Route, RouteAnswer } from "./route.js";

type Json = Record<string, unknown>;

const errorSchemas = {
  problem: { name: "Problem", type: "application/problem+json", schema: problemSchema },
  gateway: { name: "GatewayError", type: "application/json", schema: gatewayErrorSchema },
  old: { name: "OldError", type: "application/json", schema: oldErrorSchema },
} as const;

/**
 * The OpenAPI 3.1 document of the routes, made of the schemas that check their requests. `withTokens`:
 * callers must show one.
 */
export function openApiDocument(routes: readonly Route[], version: string, withTokens = false): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const item = (paths[route.path] ??= {});
    item[route.method.toLowerCase()] = operationOf(route);
  }
  const schemas = Object.values(errorSchemas).map(({ name, schema }) => [name, schemaOf(schema, "output")]);
  const security = withTokens ? { securitySchemes: { token: { type: "http", scheme: "bearer" } } } : {};
  return {
    openapi: "3.1.0",
    info: { title: "HStream", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    ...(withTokens ? { security: [{ token: [] }] } : {}),
    components: { schemas: Object.fromEntries(schemas) as Json, ...security },
  };
}

function operationOf(route: Route): Json {
  const parameters = [
    ...parametersOf(route.params, "path"),
    ...parametersOf(route.query, "query"),
    ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
      name,
      in: "header",
      description,
      schema: { type: "string" },
    })),
  ];
  const responses: Record<string, Json> = {};
  for (const [status, answer] of Object.entries(route.answers)) responses[status] = responseOf(answer);
  const { name, type } = errorSchemas[route.errors];
  responses.default = {
    description: "A refusal.",
    content: { [type]: { schema: { $ref: `#/components/schemas/${name}` } } },
  };
  const requestBody = bodyOf(route);
  return {
    tags: [route.group],
    operationId: operationId(route),
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requestBody === undefined ? {} : { requestBody }),
    ...(route.needs === "nothing" ? { security: [] } : {}),
    responses,
  };
}

function bodyOf({ body }: Route): Json | undefined {
  if (body === undefined) return undefined;
  if (!("kind" in body)) {
    return { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } };
  }
  const content: Record<string, Json> = {};
  for (const type of body.types) {
    const object = { type: "object" };
    const schema =
      type === "application/json"
        ? { anyOf: [object, { type: "array", items: object }] }
        : { type: "string" };
    content[type] = { schema };
  }
  return { required: true, content };
}

function responseOf({ description, content }: RouteAnswer): Json {
  if (content === undefined) return { description };
  const types = Object.entries(content).map(([type, schema]) => [
    type,
    { schema: schema === undefined ? { type: "string" } : schemaOf(schema, "output") },
  ]);
  return { description, content: Object.fromEntries(types) as Json };
}

function parametersOf(schema: z.ZodType | undefined, place: "path" | "query"): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const {
    $schema: _,
    $defs: __,
    ...rest
  } = z.toJSONSchema(schema, { target: "draft-2020-12", io, unrepresentable: "any" });
  return withoutReferences(rest) as Json;
}

/**
 * References are to the root of a document, which a schema inside another is not. The only schema that
 * refers to itself is that of any JSON.
 */
function withoutReferences(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withoutReferences);
  if (typeof part !== "object" || part === null) return part;
  if ("$ref" in part) return {};
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, withoutReferences(value)]));
}

function operationId({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return [method.toLowerCase(), ...words].join("_");
}
