import { Readable } from "node:stream";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import { withSpan } from "../metrics/tracing.js";
import { docsCss, docsHtml, docsPolicy, docsScript } from "./docs-page.js";
import type { HttpRooms } from "./http-rooms.js";
import { openApiDocument } from "./openapi.js";
import { refuseForeign } from "./origin-check.js";
import { errorAnswer, type ErrorForm, problemOf, refusalOf } from "./problem.js";
import { Prometheus } from "./prometheus.js";
import type { Answer, Authorize, Route } from "./route.js";
import { gatewayRoutes } from "./routes/gateway-routes.js";
import { oldRoutes } from "./routes/old-routes.js";
import { operatorRoutes } from "./routes/operator-routes.js";
import { recordRoutes } from "./routes/record-routes.js";
import { sqlRoutes } from "./routes/sql-routes.js";
import { secureContextOf, type TlsFiles, tlsOptionsOf, type TlsSource } from "./tls.js";
import { webhookRoutes } from "./routes/webhook-routes.js";

/** What happened, for the operator: never what was in a request. */
export type HttpReport = (level: "error" | "debug", message: string, cause?: unknown) => void;

export interface HttpOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly version: string;
  /** Other names of this server. */
  readonly knownAs: readonly string[];
  readonly report: HttpReport;
  /** Checks who calls; everybody may do everything if absent. */
  readonly authorize?: Authorize;
  /** Connections are TLS, and only that. */
  readonly tls?: TlsSource;
  /** Instead of httpConnectionsMax. */
  readonly connectionsMax?: number;
}

/** The HTTP side of the server. */
export class HttpServer {
  readonly port: number;
  readonly #app: FastifyInstance;
  readonly #closing: AbortController;
  readonly #forget: () => void;

  private constructor(app: FastifyInstance, closing: AbortController, tls: TlsSource | undefined) {
    this.#app = app;
    this.#forget = tls?.onChange((files) => renewCertificate(app.server, files)) ?? (() => undefined);
    this.#closing = closing;
    const bound = app.server.address();
    this.port = typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  /** Starts to listen. Rejects with the system's error, of code EADDRINUSE and such. */
  static async start(rooms: HttpRooms, options: HttpOptions): Promise<HttpServer> {
    const closing = new AbortController();
    const app = buildApp(rooms, options, closing.signal);
    try {
      await app.listen({ host: options.host, port: options.port, backlog: 511 });
    } catch (error) {
      await app.close();
      throw error;
    }
    return new HttpServer(app, closing, options.tls);
  }

  /** Refuses new requests, ends event streams, lets the others end for at most `drainMs`. */
  async close(drainMs: number, sleep: (ms: number) => Promise<void>): Promise<void> {
    this.#forget();
    this.#closing.abort(new HStreamError("ShuttingDown", {}));
    const closed = this.#app.close();
    this.#app.server.closeIdleConnections();
    await Promise.race([closed, sleep(drainMs)]);
    this.#app.server.closeAllConnections();
    await closed;
  }
}

/** For new connections. */
function renewCertificate(server: object, files: TlsFiles): void {
  const tlsServer = server as { setSecureContext?: (context: ReturnType<typeof secureContextOf>) => void };
  tlsServer.setSecureContext?.(secureContextOf(files));
}

/** All routes, in the order of the document. */
export function routesOf(rooms: HttpRooms, prometheus: Prometheus): Route[] {
  return [
    ...recordRoutes(rooms),
    ...sqlRoutes(rooms),
    ...gatewayRoutes(rooms),
    ...webhookRoutes(rooms),
    ...operatorRoutes(prometheus, rooms.metrics),
    ...oldRoutes(rooms),
  ];
}

function buildApp(rooms: HttpRooms, options: HttpOptions, closing: AbortSignal): FastifyInstance {
  const prometheus = new Prometheus(rooms);
  const routes = routesOf(rooms, prometheus);
  const { metrics, env } = rooms;

  const sizes = { maxHeaderSize: limits.httpHeaderBytesMax, headersTimeout: limits.httpHeadersMs };
  const transport =
    options.tls === undefined ? {} : { https: { ...sizes, ...tlsOptionsOf(options.tls.files) } };
  const app = fastify({
    ...transport,
    logger: false,
    exposeHeadRoutes: false,
    // Bodies are read by the routes, which have limits of their own.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    genReqId: () => Buffer.from(env.random.bytes(8)).toString("hex"),
    keepAliveTimeout: limits.httpIdleMs,
    connectionTimeout: limits.httpSilenceMs,
    // A body may stream in for hours; one in one piece has a deadline of its own.
    requestTimeout: 0,
    http: sizes,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: limits.httpHeaderBytesMax },
    forceCloseConnections: false,
    frameworkErrors: (error, request, reply) => {
      void sendError(error, formAt(request.url), request, reply);
    },
    clientErrorHandler: (error, socket) => {
      // Without TLS, or with a certificate that is none of ours, nobody there understands an answer.
      if (!socket.writable || /^ERR_(SSL|TLS)/.test(error.code ?? "")) {
        socket.destroy();
        return;
      }
      const status = clientErrorStatus[error.code ?? ""] ?? "400 Bad Request";
      const body = JSON.stringify({
        type: "about:blank",
        title: status.slice(4),
        status: Number(status.slice(0, 3)),
      });
      socket.end(
        `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  });
  app.server.maxConnections = options.connectionsMax ?? limits.httpConnectionsMax;

  const sendError = (error: unknown, form: ErrorForm, request: FastifyRequest, reply: FastifyReply) => {
    const refusal = refusalOf(error);
    if (refusal.kind === "Internal") {
      options.report(
        "error",
        `Unexpected: ${request.method} ${patternOf(request)} (request ${request.id})`,
        refusal.cause,
      );
    }
    if (refusal.kind === "Internal" || refusal.kind === "QueryFailed") {
      metrics.failed(`http ${patternOf(request)}`, refusal.kind, refusal.message);
    }
    prometheus.error(refusal.kind);
    if (refusal.kind === "Unauthenticated") void reply.header("www-authenticate", 'Bearer realm="hstream"');
    const { status, type, body } = errorAnswer(error, refusal, form, request.id);
    // What is left of a body that nobody will read would be taken for the next request.
    if (!request.raw.complete) void reply.header("connection", "close");
    return reply
      .code(status)
      .type(type)
      .send(`${JSON.stringify(body)}\n`);
  };

  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));

  app.addHook("onRequest", async (request, reply) => {
    void reply.headers(safetyHeaders).header("x-request-id", request.id);
    refuseForeign(request.headers, options.host, options.knownAs);
    if (closing.aborted) throw new HStreamError("ShuttingDown", {});
    // The framework would answer some of them on its own.
    if (!knownMethods.has(request.method)) throw noRoute(request, reply);
  });
  app.addHook("onResponse", async (request, reply) => {
    // Kept alive, the connection would keep the server from ending.
    if (closing.aborted) request.raw.socket.destroySoon();
    const pattern = patternOf(request);
    prometheus.request(
      knownMethods.has(request.method) ? request.method : "other",
      pattern,
      reply.statusCode,
    );
    const ms = reply.elapsedTime;
    if (!isStream(reply)) metrics.httpLatency.record(ms);
    options.report("debug", `${request.method} ${pattern} ${reply.statusCode}`, {
      request: request.id,
      ms: Math.round(ms),
    });
  });

  for (const route of routes) {
    app.route({
      method: route.method,
      url: routerPattern(route.path),
      errorHandler: (error, request, reply) => {
        void sendError(error, route.errors, request, reply);
      },
      handler: async (request, reply) => {
        const gone = new AbortController();
        const leave = () => gone.abort(new Error("the caller has gone"));
        reply.raw.once("close", leave);
        const raw = {
          method: request.method,
          params: request.params,
          query: request.query,
          headers: request.headers,
          stream: request.raw,
          id: request.id,
          gone: AbortSignal.any([gone.signal, closing]),
          timers: env.timers,
          authorization: request.raw.headersDistinct.authorization ?? [],
          authorize: options.authorize ?? (() => () => undefined),
        };
        const attributes = { "http.request.method": route.method, "http.route": route.path };
        const answer = await withSpan(
          `${route.method} ${route.path}`,
          attributes,
          () => route.run(raw),
          () => raw.headers,
        );
        return send(answer, reply, gone.signal);
      },
    });
  }

  const withTokens = options.authorize !== undefined;
  const document = JSON.stringify(openApiDocument(routes, options.version, withTokens), null, 2);
  const fixed = [
    ["/openapi.json", "application/json", document],
    ["/docs", "text/html; charset=utf-8", docsHtml],
    ["/docs/page.js", "text/javascript; charset=utf-8", docsScript],
    ["/docs/page.css", "text/css; charset=utf-8", docsCss],
  ] as const;
  for (const [url, type, text] of fixed) {
    app.get(url, (_request, reply) =>
      reply.type(type).header("content-security-policy", docsPolicy).send(text),
    );
  }
  const places = [
    ...routes,
    ...fixed.map(([path]) => ({ method: "GET", path, errors: "problem" as const })),
  ].map(({ method, path, errors }) => ({
    method,
    errors,
    regex: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/:]+")}/?$`),
  }));
  for (const url of ["/", "/v1/swagger"]) app.get(url, (_request, reply) => reply.redirect("/docs"));

  app.setNotFoundHandler((request, reply) =>
    sendError(noRoute(request, reply), formAt(request.url), request, reply),
  );
  app.setErrorHandler((error, request, reply) => sendError(error, formAt(request.url), request, reply));
  return app;

  /** Why no route takes a request, which is told the methods that one would take. */
  function noRoute({ method, url }: FastifyRequest, reply: FastifyReply): HStreamError {
    const methods = [...new Set(placesAt(url).map((place) => place.method))];
    if (methods.length === 0) return new HStreamError("RouteNotFound", {});
    if (methods.includes(method)) {
      return new HStreamError("MalformedRequest", { reason: "a name in its address is not possible" });
    }
    const allowed = methods.join(", ");
    void reply.header("allow", allowed);
    return new HStreamError("MethodNotAllowed", { method, allowed });
  }

  function formAt(url: string): ErrorForm {
    return placesAt(url)[0]?.errors ?? "problem";
  }

  function placesAt(url: string): typeof places {
    const path = url.split("?", 1)[0] ?? "";
    return places.filter(({ regex }) => regex.test(path));
  }

  function send(answer: Answer, reply: FastifyReply, gone: AbortSignal): FastifyReply {
    switch (answer.kind) {
      case "json":
        return reply
          .code(answer.status ?? 200)
          .type("application/json")
          .send(`${JSON.stringify(answer.body)}\n`);
      case "text":
        return reply.type(answer.type).send(answer.text);
      case "empty":
        return reply.code(204).send();
      case "stream": {
        // Small buffers: what is made waits for the caller to read.
        const stream = Readable.from(guarded(answer.chunks, reply.request.id), {
          objectMode: false,
          highWaterMark: 65_536,
        });
        gone.addEventListener("abort", () => stream.destroy(), { once: true });
        return reply.type(answer.type).header("cache-control", "no-store").send(stream);
      }
    }
  }

  /** An answer that has begun can only be broken off; the operator is told why. */
  async function* guarded(chunks: AsyncIterable<string>, requestId: string): AsyncGenerator<string> {
    try {
      yield* chunks;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.kind === "Internal")
        options.report("error", `Unexpected: an answer broke off (request ${requestId})`, error);
      yield `${JSON.stringify(problemOf(refusal, requestId))}\n`;
      throw error;
    }
  }
}

const knownMethods = new Set(["GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"]);

const safetyHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

const clientErrorStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** `{name}` as the router has it; one that is followed by a colon ends there. */
function routerPattern(path: string): string {
  return path.replace(/\{(\w+)\}:/, ":$1(^[^:/]+)::").replaceAll(/\{(\w+)\}/g, ":$1");
}

/** The route's pattern, so that addresses asked for at random do not fill the metrics. */
function patternOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? "unknown";
}

function isStream(reply: FastifyReply): boolean {
  const type = String(reply.getHeader("content-type") ?? "");
  return type.startsWith("text/event-stream") || type.startsWith("application/x-ndjson");
}
