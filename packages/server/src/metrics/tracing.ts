import {
  type Attributes,
  context,
  propagation,
  ProxyTracerProvider,
  type Span,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

/**
 * Spans for whoever has installed an OpenTelemetry provider in this process; without one they are nothing.
 * Names are of a bounded number; attributes carry no payloads and no texts of statements.
 */
const tracer = () => trace.getTracer("hstream");

/** Whether somebody would see a span. */
function isSeen(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer("hstream") !== undefined;
}

/**
 * Runs `work` within a span, which ends with it and says how. `headers`: of the request, which may name
 * the caller's span (`traceparent`).
 */
export async function withSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => T | Promise<T>,
  headers: () => object = () => ({}),
): Promise<T> {
  if (!isSeen()) return work();
  const caller = propagation.extract(context.active(), headers());
  return tracer().startActiveSpan(name, { attributes }, caller, async (span) => {
    try {
      return await work();
    } catch (error) {
      markFailed(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The same for something that yields; the span ends when the iteration does, however that is. */
export async function* spanOf<T>(
  name: string,
  attributes: Attributes,
  work: () => AsyncGenerator<T, undefined>,
): AsyncGenerator<T, undefined> {
  const span = tracer().startSpan(name, { attributes });
  try {
    yield* context.with(trace.setSpan(context.active(), span), work);
  } catch (error) {
    markFailed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function markFailed(span: Span, error: unknown): void {
  const name = error instanceof Error && "kind" in error ? String(error.kind) : "Internal";
  span.setStatus({ code: SpanStatusCode.ERROR, message: name });
  span.setAttribute("error.type", name);
}
