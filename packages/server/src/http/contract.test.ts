import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { z } from "zod";
import { gatewayErrorSchema, oldErrorSchema, problemSchema } from "./problem.js";
import { Prometheus } from "./prometheus.js";
import { routesOf } from "./http-server.js";
import type { Route } from "./route.js";
import { TestHttp } from "./test-http.test.helper.js";

const errorForms = { problem: problemSchema, gateway: gatewayErrorSchema, old: oldErrorSchema };

/**
 * What schemathesis does for an OpenAPI document: requests that fit a route's schemas, nearly fit or do
 * not fit at all. None may be answered with a 5xx, and every answer must match the schema of its status.
 */
describe("the contract of REST", () => {
  let http: TestHttp;
  let routes: readonly Route[];
  before(async () => {
    http = await TestHttp.start();
    await http.room.run("CREATE STREAM fuzzed; INSERT INTO fuzzed (a) VALUES (1);");
    routes = routesOf(http.rooms, new Prometheus(http.rooms));
  });
  after(async () => {
    await http.close();
    assert.deepEqual(http.defects, []);
  });

  it("holds for requests of every kind to every route", async () => {
    // Event streams have no end; they are tried one by one elsewhere.
    const finite = routes.filter(({ path }) => !path.endsWith("/live"));
    for (const route of finite) {
      await fc.assert(
        fc.asyncProperty(requestsOf(route), async ({ url, body, type, accept }) => {
          const response = await fetch(http.url + url, {
            method: route.method,
            headers: { ...(body === undefined ? {} : { "content-type": type }), accept },
            ...(body === undefined ? {} : { body }),
          });
          const text = await response.text();
          const what = `${route.method} ${url} ${body ?? ""} → ${response.status} ${text.slice(0, 300)}`;
          assert.ok(response.status < 500 || response.status === 501, what);
          checkAnswer(route, response, text, what);
        }),
        { numRuns: runs(40) },
      );
    }
  });
});

function checkAnswer(route: Route, response: Response, text: string, what: string): void {
  const type = response.headers.get("content-type")?.split(";")[0] ?? "";
  const answer = route.answers[response.status];
  if (answer === undefined) {
    assert.ok(response.status >= 400, what);
    // A request that reached no route is answered in the common form.
    const forms = [errorForms[route.errors], problemSchema];
    assert.ok(
      forms.some((form) => form.safeParse(JSON.parse(text)).success),
      what,
    );
    return;
  }
  if (answer.content === undefined) return assert.equal(text, "", what);
  assert.ok(Object.hasOwn(answer.content, type), what);
  const schema = answer.content[type];
  if (schema !== undefined) assert.deepEqual(schema.safeParse(JSON.parse(text)).error, undefined, what);
}

interface Request {
  readonly url: string;
  readonly body: string | undefined;
  readonly type: string;
  readonly accept: string;
}

const words = fc.oneof(
  fc.constantFrom(
    "fuzzed",
    "missing",
    "x",
    "",
    "__proto__",
    "a:publish",
    "é",
    "null",
    "0",
    "-1",
    "1e9",
    "%",
    "true",
  ),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);

function requestsOf(route: Route): fc.Arbitrary<Request> {
  const names = route.path.match(/\{\w+\}/g) ?? [];
  const path = fc.array(words, { minLength: names.length, maxLength: names.length }).map((values) => {
    let url = route.path;
    for (const [i, name] of names.entries())
      url = url.replace(name, () => encodeURIComponent(values[i] || "x"));
    return url;
  });
  const query = fc.dictionary(
    fc.constantFrom(...propertiesOf(route.query), "unknown"),
    fc.oneof(
      words,
      fc.constantFrom("1min", "stream", "appends", "append_total", "10", "2026-01-01", "earliest"),
    ),
  );
  const body = route.body === undefined ? fc.constant(undefined) : bodiesOf(route.body);
  return fc
    .record({
      path,
      query,
      body,
      type: fc.oneof(
        { weight: 9, arbitrary: fc.constant("application/json") },
        fc.constantFrom("text/plain", "application/x-ndjson"),
      ),
      accept: fc.constantFrom("*/*", "application/json", "application/x-ndjson", "nonsense"),
    })
    .map(({ path, query, body, type, accept }) => {
      const search = new URLSearchParams(Object.entries(query)).toString();
      return { url: search === "" ? path : `${path}?${search}`, body, type, accept };
    });
}

function bodiesOf(body: NonNullable<Route["body"]>): fc.Arbitrary<string> {
  const anything = fc.jsonValue({ maxDepth: 4 });
  const statements = fc.constantFrom(
    "SELECT * FROM fuzzed;",
    "SELECT 1;",
    "SHOW TABLES;",
    "SELECT",
    "DROP STREAM nothing;",
  );
  const field = fc.oneof(
    words,
    statements,
    fc.constantFrom<unknown>(0, 1, -1, 2 ** 32, null, {}, [], "EARLIEST", "RAW", "HRECORD"),
    anything,
  );
  const properties = "kind" in body ? ["a", "b"] : propertiesOf(body);
  const objects = fc.record(Object.fromEntries(properties.map((name) => [name, field])), {
    requiredKeys: [],
  });
  const values = fc.oneof({ weight: 4, arbitrary: objects }, anything);
  return fc.oneof(
    { weight: 9, arbitrary: values.map((value) => JSON.stringify(value)) },
    fc.string({ maxLength: 30 }),
  );
}

function propertiesOf(schema: z.ZodType | undefined): string[] {
  if (schema === undefined) return [];
  const { properties = {} } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as {
    properties?: object;
  };
  return Object.keys(properties);
}
