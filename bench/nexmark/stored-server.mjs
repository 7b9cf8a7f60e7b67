/**
 * A server of its own in this process, over a temporary directory, with events stored in its streams. What
 * is measured over it takes the whole way of a query: the log's files, the query's worker thread, encoded
 * answers, which are counted and dropped here.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv, resolveConfig, startServer } from "@hstream/server";
import { openQueries } from "../../packages/server/dist/queries/open-queries.js";
import { storedBatches } from "./tables.mjs";

const appendedAtOnce = 50_000;

export class StoredServer {
  #rooms;
  #server;
  #directory;
  sql;

  static async open() {
    const stored = new StoredServer();
    stored.#directory = mkdtempSync(join(tmpdir(), "hstream-bench-"));
    await stored.#start();
    return stored;
  }

  async #start() {
    const { config } = resolveConfig({
      flags: { "data-dir": this.#directory, port: "0", "http-port": "0" },
    });
    this.#server = await startServer({
      config,
      env: createNodeEnv(),
      version: "bench",
      openSql: async (rooms) => {
        this.#rooms = rooms;
        this.sql = await openQueries(rooms);
        return this.sql;
      },
    });
  }

  /** Stops the server cleanly; `start` goes on with what it has stored. */
  async stop() {
    await this.#server.close();
  }

  async start() {
    await this.#start();
  }

  /** One durable append of a batch; how long it took, in ms. */
  async timedAppend(stream, batch) {
    const { streams, appender } = this.#rooms;
    const [shardId] = streams.get(stream).shardIds;
    const before = performance.now();
    await appender.append(stream, shardId, batch);
    return performance.now() - before;
  }

  /** Appends records (any iterable of plain objects) in batches of 500; they are durable when it resolves. */
  async append(stream, records) {
    const { streams, appender } = this.#rooms;
    const [shardId] = streams.get(stream).shardIds;
    let piece = [];
    let count = 0;
    const flush = async () => {
      const { batches } = storedBatches(piece);
      count += piece.length;
      piece = [];
      await Promise.all(
        batches.map(({ recordCount, payload }) =>
          appender.append(stream, shardId, { recordCount, compression: 0, payload }),
        ),
      );
    };
    for (const record of records) {
      piece.push(record);
      if (piece.length === appendedAtOnce) await flush();
    }
    if (piece.length > 0) await flush();
    return count;
  }

  /** The rooms below the SQL. */
  get rooms() {
    return this.#rooms;
  }

  /** Runs a script to its end, or until the last statement has given `rowsMax` rows; how many it gave. */
  async run(script, rowsMax = Number.POSITIVE_INFINITY) {
    const stop = new AbortController();
    let rows = 0;
    let bytes = 0;
    for await (const event of this.sql.execute(script, stop.signal)) {
      if (event.kind !== "rows") continue;
      bytes += event.encoded.length;
      rows += rowCountOf(event.encoded);
      if (rows >= rowsMax) break;
    }
    stop.abort();
    return { rows, bytes };
  }

  async close() {
    await this.#server.close();
    rmSync(this.#directory, { recursive: true });
  }
}

/** The first field of an encoded RowBatch: tag 1, varint. */
function rowCountOf(encoded) {
  if (encoded[0] !== 8) return 0;
  let count = 0;
  for (let at = 1, shift = 0; ; at++, shift += 7) {
    count |= (encoded[at] & 0x7f) << shift;
    if (encoded[at] < 0x80) return count;
  }
}
