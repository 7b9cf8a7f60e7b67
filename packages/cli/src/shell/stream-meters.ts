import type { HStreamClient } from "@hstream/client";

/**
 * Counts what is appended to streams while they are looked at: one push query a stream, which the server
 * merges per step, so that a fast stream costs no more than a slow one.
 */
export class StreamMeters {
  readonly #client: HStreamClient;
  readonly #stop = new AbortController();
  readonly #counts = new Map<string, number>();
  /** Ids of the queries that count: they are no work of the user's. */
  readonly queryIds = new Set<string>();

  constructor(client: HStreamClient) {
    this.#client = client;
  }

  /** Records appended since the meter of the stream began; begins it. undefined: it does not count yet. */
  count(stream: string): number | undefined {
    const known = this.#counts.get(stream);
    if (known === undefined) {
      this.#counts.set(stream, 0);
      void this.#run(stream);
    }
    return known;
  }

  close(): void {
    this.#stop.abort();
  }

  async #run(stream: string): Promise<void> {
    const name = `"${stream.replaceAll('"', '""')}"`;
    const sql = `SELECT COUNT(*) AS n FROM ${name} EMIT CHANGES COALESCED FROM LATEST;`;
    try {
      for await (const statement of this.#client.sql(sql, { signal: this.#stop.signal })) {
        if (statement.queryId !== undefined) this.queryIds.add(statement.queryId);
        for await (const batch of statement.batches()) {
          for (let row = 0; row < batch.rowCount; row += 1) {
            if (!batch.isDeletion(row)) this.#counts.set(stream, Number(batch.values(0).text(row)));
          }
        }
      }
    } catch {
      // The stream or the server has gone: the next look begins anew.
      this.#counts.delete(stream);
    }
  }
}
