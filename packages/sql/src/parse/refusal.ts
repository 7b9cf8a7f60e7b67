import type { Span } from "../diagnostic.js";

/** Leaves the grammar at once with a finding of our own; caught in parse-script.ts, never seen outside. */
export class Refusal extends Error {
  readonly span: Span;
  readonly hint: string | undefined;

  constructor(message: string, span: Span, hint?: string) {
    super(message);
    this.span = span;
    this.hint = hint;
  }
}
