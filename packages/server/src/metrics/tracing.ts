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

/** A span that whoever opened it ends. */
export interface OpenSpan {
  /** What `work` starts, now and later, is part of the span. */
  within(work: () => void): void;
  setAttribute(name: string, value: string | number): void;
  /** `failure`: the kind of what went wrong, if something did. */
  end(failure: string | undefined): void;
}

/** Opens a span for something that is no function; undefined when nobody would see it. */
export function openSpan(name: string, attributes: Attributes, headers: () => object): OpenSpan | undefined {
  if (!isSeen()) return undefined;
  const caller = propagation.extract(context.active(), headers());
  const span = tracer().startSpan(name, { attributes }, caller);
  return {
    within: (work) => context.with(trace.setSpan(caller, span), work),
    setAttribute: (attribute, value) => void span.setAttribute(attribute, value),
    end: (failure) => {
      if (failure !== undefined) markFailedAs(span, failure);
      span.end();
    },
  };
}

/** As withSpan, for something that yields; the span ends when the iteration does, however that is. */
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
  markFailedAs(span, error instanceof Error && "kind" in error ? String(error.kind) : "Internal");
}

function markFailedAs(span: Span, name: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: name });
  span.setAttribute("error.type", name);
}
