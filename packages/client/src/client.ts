import { type DescribeClusterResponse, HStreamApiService, type RecordId } from "@hstream/proto";
import type { Address } from "./address.js";
import { Appender } from "./appender.js";
import { BufferedProducer, type ProducerOptions } from "./buffered-producer.js";
import { type CallSettings, Connection, type ConnectOptions } from "./connection.js";
import { type ConsumeOptions, Consumer } from "./consumer.js";
import { limits } from "./limits.js";
import {
  type Compression,
  encodeBatch,
  type PreparedRecord,
  prepareRecord,
  type RecordInput,
  type RecordOptions,
} from "./record.js";
import { SqlExecution, type SqlOptions } from "./sql/execution.js";
import { Streams } from "./streams.js";
import { Subscriptions } from "./subscriptions.js";

export interface AppendOptions extends RecordOptions, CallSettings {
  readonly compression?: Compression;
}

/** A connection to an HStream cluster. All failures are HStreamClientError. */
export class HStreamClient implements AsyncDisposable {
  readonly streams: Streams;
  readonly subscriptions: Subscriptions;
  readonly #connection: Connection;
  readonly #appenders = new Map<string, Appender>();

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.streams = new Streams(connection);
    this.subscriptions = new Subscriptions(connection);
  }

  /**
   * Connects to the first of the named servers that answers.
   * @param url hstream://host:port[,host:port]…
   */
  static async connect(url: string, options: ConnectOptions = {}): Promise<HStreamClient> {
    return new HStreamClient(await Connection.open(url, options));
  }

  /** The servers known, the preferred one first. */
  get addresses(): readonly Address[] {
    return this.#connection.addresses;
  }

  async echo(text: string, settings?: CallSettings): Promise<string> {
    return (await this.#connection.call(HStreamApiService.echo, { msg: text }, settings)).msg;
  }

  async describeCluster(settings?: CallSettings): Promise<DescribeClusterResponse> {
    return this.#connection.call(HStreamApiService.describeCluster, {}, settings);
  }

  /**
   * Stores records of one key, in order, and answers with their ids. More than fit one batch go in
   * several, one after the other, so that a failure can leave the first of them stored.
   */
  async append(
    stream: string,
    records: readonly RecordInput[],
    options: AppendOptions = {},
  ): Promise<readonly RecordId[]> {
    const prepared = records.map((record) => prepareRecord(record, options));
    if (prepared.length === 0) return [];
    const appender = this.#appender(stream);
    const ids: RecordId[] = [];
    const shardId = (await appender.shards(options)).shardOf(options.key ?? "");
    for (const part of cutIntoBatches(prepared)) {
      const batch = await encodeBatch(part, options.compression ?? "none");
      ids.push(...(await appender.append(shardId, batch, options)));
    }
    return ids;
  }

  /** A producer that gathers records into batches. Fails when there is no such stream. */
  async bufferedProducer(stream: string, options: ProducerOptions = {}): Promise<BufferedProducer> {
    const appender = new Appender(this.#connection, stream);
    return new BufferedProducer(appender, await appender.shards(), this.#connection.system, options);
  }

  /** Receives the records of a subscription: iterate over what this answers. */
  consume(subscription: string, options: ConsumeOptions = {}): Consumer {
    return new Consumer(this.#connection, this.subscriptions, subscription, options);
  }

  /** Runs a script of one or more statements: iterate over what this answers. */
  sql(text: string, options: SqlOptions = {}): SqlExecution {
    return new SqlExecution(this.#connection, text, options);
  }

  /** Closes the connections. What is under way fails. */
  async close(): Promise<void> {
    this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #appender(stream: string): Appender {
    let appender = this.#appenders.get(stream);
    if (appender === undefined) {
      appender = new Appender(this.#connection, stream);
      this.#appenders.set(stream, appender);
    }
    return appender;
  }
}

function* cutIntoBatches(records: readonly PreparedRecord[]): Generator<readonly PreparedRecord[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, record] of records.entries()) {
    const full = bytes + record.bytes > limits.batchBytesMax || index - start === limits.batchRecordsMax;
    if (index > start && full) {
      yield records.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += record.bytes;
  }
  yield records.slice(start);
}
