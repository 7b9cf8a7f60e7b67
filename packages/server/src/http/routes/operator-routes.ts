import { z } from "zod";
import type { Metrics } from "../../metrics/metrics.js";
import { problemSchema } from "../problem.js";
import type { Prometheus } from "../prometheus.js";
import { type Route, route } from "../route.js";

const group = "For operators";

/** Whether the server lives and is ready, and what it counts. */
export function operatorRoutes(prometheus: Prometheus, metrics: Metrics): Route[] {
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
      summary: "Whether it takes requests and appends",
      description:
        "Not while it shuts down, after its log has failed, and while its disk is full. Before all that is stored has been recovered, nobody listens here.",
      answers: {
        200: { description: "It does.", content },
        503: {
          description: "It does not, and why.",
          content: { ...content, "application/problem+json": problemSchema },
        },
      },
      errors: "problem",
      handle: () => {
        const illness = metrics.health.illness(metrics.now());
        if (illness === undefined) return { kind: "json", body: { status: "ready" } };
        return { kind: "json", status: 503, body: { status: illness } };
      },
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
