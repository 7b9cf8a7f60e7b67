/** Where something stands in the text: UTF-16 offsets, end exclusive; line and column count from 1. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly column: number;
}

/** A finding of the lexer, the parser or the binder. Nothing in this package throws at a user's text. */
export interface Diagnostic {
  readonly severity: "error" | "notice";
  /** At most two lines. */
  readonly message: string;
  /** What to do about it, one line. */
  readonly hint?: string;
  readonly span: Span;
}
