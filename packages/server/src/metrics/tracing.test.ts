import assert from "node:assert/strict";
import { type Context, propagation, type Span, type Tracer, trace } from "@opentelemetry/api";
import { spanOf, withSpan } from "./tracing.js";

/** A provider that keeps the names of spans and what became of them. */
function recording(): string[] {
  const seen: string[] = [];
  const startSpan = (name: string): Span =>
    ({
      spanContext: () => ({ traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 }),
      setStatus: ({ message }: { message?: string }) => seen.push(`${name} failed: ${message}`),
      setAttribute: () => undefined,
      end: () => seen.push(`${name} ended`),
    }) as unknown as Span;
  const startActiveSpan = (
    name: string,
    _options: unknown,
    _context: unknown,
    work: (span: Span) => unknown,
  ) => work(startSpan(name));
  const tracer = { startSpan, startActiveSpan } as unknown as Tracer;
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  return seen;
}

describe("spans", () => {
  afterEach(() => trace.disable());

  it("cost nothing and change nothing without a provider", async () => {
    assert.equal(await withSpan("a", {}, () => Promise.resolve(1)), 1);
  });

  it("are children of the one that the caller names", async () => {
    recording();
    const asked: unknown[] = [];
    propagation.setGlobalPropagator({
      inject: () => undefined,
      fields: () => ["traceparent"],
      extract: (context: Context, carrier: unknown) => {
        asked.push(carrier);
        return context;
      },
    });
    await withSpan(
      "a",
      {},
      () => 1,
      () => ({ traceparent: "00-1-2-01" }),
    );
    propagation.disable();
    assert.deepEqual(asked, [{ traceparent: "00-1-2-01" }]);
  });

  it("end with what they are about, also when it fails or is left", async () => {
    const seen = recording();
    await withSpan("one", {}, () => Promise.resolve());
    const failing = withSpan("two", {}, () => Promise.reject(new Error("no")));
    await assert.rejects(failing, /no/);
    const numbers = async function* () {
      yield 1;
      yield 2;
    } as () => AsyncGenerator<number, undefined>;
    for await (const _ of spanOf("three", {}, numbers)) break;
    assert.deepEqual(seen, ["one ended", "two failed: Internal", "two ended", "three ended"]);
  });
});
