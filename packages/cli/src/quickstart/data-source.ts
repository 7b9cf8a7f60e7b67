import type { JsonObject } from "@hstream/client";

/** Data that the quickstart streams in, and what it asks about them. */
export interface DataSource {
  /** In a sentence: "Streaming in …". */
  readonly title: string;
  readonly stream: string;
  /** Batches of records, until the source or the signal ends them. */
  readonly records: (signal: AbortSignal) => AsyncIterable<readonly JsonObject[]>;
  /** Goes on for ever: the quickstart feeds it in the background. */
  readonly endless: boolean;
  readonly view: { readonly name: string; readonly sql: string };
  /** A push query that runs while the data come in. */
  readonly watch: string;
  /** What the results are, and the pull query that answers with them. */
  readonly report: { readonly title: string; readonly sql: string };
  /** What to type in the shell. */
  readonly suggestions: readonly string[];
}
