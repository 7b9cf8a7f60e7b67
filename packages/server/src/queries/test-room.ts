import { decodeRowBatch, isMalformed, loadInflate, RowBatch, toRows } from "@hstream/proto";
import { resolveConfig } from "../config/resolve-config.js";
import type { Env } from "../env/env.js";
import { ConnectorCatalogue } from "../connectors/connector-catalogue.js";
import { nodeUsage } from "../env/node-usage.js";
import { createNodeEnv } from "../env/node-env.js";
import type { ExecutorHostOptions } from "../executor/executor-host.js";
import type { LogStore } from "../log/log-store.js";
import { MemoryLog } from "../log/memory-log.js";
import type { MetaStore } from "../meta/meta-store.js";
import { MemoryMeta } from "../meta/memory-meta.js";
import { Metrics } from "../metrics/metrics.js";
import { MeteredLog } from "../streams/metered-log.js";
import { RelationNames } from "../streams/relation-names.js";
import { StreamAppender } from "../streams/stream-appender.js";
import { StreamCatalogue } from "../streams/stream-catalogue.js";
import { SubscriptionService } from "../subscription/subscription-service.js";
import { openQueries, type SqlRoom } from "./open-queries.js";
import type { SqlEvent } from "./sql-service.js";

/** What a statement answered, decoded. */
export interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly Record<string, unknown>[];
  /** "done" of the statement; absent when it was left before its end. */
  readonly message: string | undefined;
  readonly notices: readonly string[];
}

/** The queries room over a log and metadata in memory, and the rooms below it. */
export class TestRoom {
  readonly log: LogStore;
  readonly meta: MetaStore;
  readonly streams: StreamCatalogue;
  readonly appender: StreamAppender;
  readonly subscriptions: SubscriptionService;
  readonly metrics: Metrics;
  readonly sql: SqlRoom;

  private constructor(
    log: LogStore,
    meta: MetaStore,
    streams: StreamCatalogue,
    appender: StreamAppender,
    subscriptions: SubscriptionService,
    metrics: Metrics,
    sql: SqlRoom,
  ) {
    this.log = log;
    this.meta = meta;
    this.streams = streams;
    this.appender = appender;
    this.subscriptions = subscriptions;
    this.metrics = metrics;
    this.sql = sql;
  }

  /** `stores`: of a room that was closed, to start again with what it had. */
  static async open(
    stores?: { readonly log: LogStore; readonly meta: MetaStore },
    env: Env = createNodeEnv(),
    executor: Partial<ExecutorHostOptions> = {},
  ): Promise<TestRoom> {
    const log = stores?.log ?? new MemoryLog(env.clock);
    const meta = stores?.meta ?? new MemoryMeta(env.clock);
    const names = new RelationNames();
    const metrics = new Metrics(env.clock, env.timers);
    const streams = await StreamCatalogue.open(env, log, meta, names);
    const appender = new StreamAppender(env, streams, log, { recordBytesMax: 1_048_576, metrics });
    const reading = new MeteredLog(log, streams, metrics);
    const inflate = await loadInflate(1_048_576);
    const deadLetter = () => Promise.resolve();
    const tools = { env, log: reading, inflate, report: () => {}, metrics, deadLetter };
    const options = { defaultDispatch: "key-ordered" } as const;
    const subscriptions = await SubscriptionService.open(tools, meta, streams, options);
    const resolved = resolveConfig({});
    if (resolved.kind === "errors") throw new Error(JSON.stringify(resolved.errors));
    const sql = await openQueries({
      env,
      log: reading,
      meta,
      streams,
      appender,
      names,
      connectors: await ConnectorCatalogue.open(env, meta),
      subscriptions,
      metrics,
      config: resolved.config,
      // The watchdog watches real threads.
      executor: { timers: createNodeEnv().timers, ...executor },
      node: { id: 7, version: "0.0.0-test", address: () => "127.0.0.1:6570", usage: nodeUsage },
    });
    return new TestRoom(log, meta, streams, appender, subscriptions, metrics, sql);
  }

  /** The id of a query that lives on. */
  async queryId(name: string): Promise<string> {
    const entry = await this.meta.get(`queries/${name}`);
    if (entry === undefined) throw new Error(`there is no query ${name}`);
    return (JSON.parse(entry.value) as { id: string }).id;
  }

  events(script: string, signal: AbortSignal = new AbortController().signal): AsyncIterable<SqlEvent> {
    return this.sql.execute(script, signal);
  }

  /** Runs a script and gives each statement's answer. */
  async run(script: string): Promise<Answer[]> {
    const answers: Answer[] = [];
    let current: AnswerBuilder | undefined;
    for await (const event of this.events(script)) {
      if (event.kind === "header") current = new AnswerBuilder(event);
      else if (current?.take(event) === "done") answers.push(current.answer);
    }
    return answers;
  }

  /** The rows of the script's last statement. */
  async rows(script: string): Promise<readonly Record<string, unknown>[]> {
    return (await this.run(script)).at(-1)?.rows ?? [];
  }

  /** Closes the queries room only: log and metadata stay for another one. */
  async close(): Promise<void> {
    await this.sql.close();
    await this.subscriptions.close();
    this.streams.close();
  }
}

/** Puts the events of one statement together. */
export class AnswerBuilder {
  readonly #columns: string[];
  readonly #notices: string[];
  readonly rows: Record<string, unknown>[] = [];
  #message: string | undefined;

  constructor(header: Extract<SqlEvent, { kind: "header" }>) {
    this.#columns = header.columns.map((column) => column.name);
    this.#notices = [...header.notices];
  }

  take(event: Exclude<SqlEvent, { kind: "header" }>): "rows" | "done" {
    if (event.kind === "done") {
      this.#message = event.message;
      this.#notices.push(...event.notices);
      return "done";
    }
    const batch = RowBatch.decode(event.encoded);
    this.#columns.push(...batch.addedColumns.map((column) => column.name));
    const decoded = decodeRowBatch(batch, this.#columns.length);
    if (isMalformed(decoded)) throw new Error(decoded.reason);
    toRows(decoded).forEach((cells, row) => {
      const fields = this.#columns.map((name, i): [string, unknown] => [name, cells[i] ?? null]);
      if (decoded.isDelete(row)) fields.push(["$op", "delete"]);
      this.rows.push(Object.fromEntries(fields));
    });
    return "rows";
  }

  get answer(): Answer {
    return { columns: this.#columns, rows: this.rows, message: this.#message, notices: this.#notices };
  }
}
