import { z } from "zod";
import type { Prometheus } from "../prometheus.js";
import { type Route, route } from "../route.js";

const group = "For operators";

/** Whether the server lives and is ready, and what it counts. */
export function operatorRoutes(prometheus: Prometheus): Route[] {
  const statusSchema = z.object({ status: z.string() });
  const content = { "application/json": statusSchema };
  return [
    route({
      method: "GET",
      path: "/healthz",
      needs: "nothing",
      group,
      summary: "Whether the process lives",
      answers: { 200: { description: "It does.", content } },
      errors: "problem",
      handle: () => ({ kind: "json", body: { status: "ok" } }),
    }),
    route({
      method: "GET",
      path: "/readyz",
      needs: "nothing",
      group,
      summary: "Whether it takes requests",
      description: "503 from the moment on when it shuts down.",
      answers: { 200: { description: "It does.", content } },
      errors: "problem",
      handle: () => ({ kind: "json", body: { status: "ready" } }),
    }),
    route({
      method: "GET",
      path: "/metrics",
      group,
      summary: "Metrics for Prometheus",
      answers: { 200: { description: "Its text format.", content: { "text/plain": undefined } } },
      errors: "problem",
      handle: async () => {
        const { contentType } = prometheus.registry;
        return { kind: "text", type: contentType, text: await prometheus.registry.metrics() };
      },
    }),
  ];
}
