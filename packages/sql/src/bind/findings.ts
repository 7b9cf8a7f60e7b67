import type { Diagnostic, Span } from "../diagnostic.js";
import { diagnosticsMax } from "../limits.js";
import type { Expression } from "../plan/expression.js";
import { DYNAMIC } from "../types/types.js";

/** Stands for what could not be bound: a NULL that fits everywhere, so that one mistake is one finding. */
export const unboundExpression: Expression = { kind: "literal", value: null, type: DYNAMIC };

/** Collects what the binder finds. */
export class Findings {
  readonly #diagnostics: Diagnostic[] = [];

  /** Errors, then notices, each in the order of the text. */
  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics.toSorted(
      (a, b) => a.severity.localeCompare(b.severity) || a.span.start - b.span.start,
    );
  }

  get failed(): boolean {
    return this.#diagnostics.some((diagnostic) => diagnostic.severity === "error");
  }

  /** Reports an error and gives unboundExpression to go on with. */
  error(span: Span, message: string, hint?: string): Expression {
    this.#add("error", span, message, hint);
    return unboundExpression;
  }

  notice(span: Span, message: string, hint?: string): void {
    this.#add("notice", span, message, hint);
  }

  #add(severity: Diagnostic["severity"], span: Span, message: string, hint: string | undefined): void {
    const known = this.#diagnostics.some((one) => one.message === message && one.span.start === span.start);
    if (known || this.#diagnostics.length >= diagnosticsMax) return;
    this.#diagnostics.push(
      hint === undefined ? { severity, message, span } : { severity, message, hint, span },
    );
  }
}
