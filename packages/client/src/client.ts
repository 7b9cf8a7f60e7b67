import { type DescribeClusterResponse, HStreamApiService, type RecordId } from "@hstream/proto";
import type { Address } from "./address.js";
import { type CallSettings, Connection, type ConnectOptions } from "./connection.js";
import { Connectors } from "./connectors.js";
import { type ConsumeOptions, Consumer } from "./consume/consumer.js";
import { limits } from "./limits.js";
import { AppendStream, type AppendStreamOptions, inOrder } from "./produce/append-stream.js";
import { Appender } from "./produce/appender.js";
import { BufferedProducer, type ProducerOptions } from "./produce/buffered-producer.js";
import { NumberedSink } from "./produce/numbered-sink.js";
import { planBatches } from "./produce/plan-batches.js";
import { Reader, type ReadOptions } from "./read/reader.js";
import { type Compression, encodeBatch, type RecordInput, type RecordOptions } from "./records/record.js";
import { anyRecord, type RecordType } from "./records/record-type.js";
import type { SqlRow } from "./sql/batch.js";
import { SqlExecution, type SqlOptions } from "./sql/execution.js";
import { SqlQuery } from "./sql/query.js";
import { Streams } from "./streams.js";
import { Subscriptions } from "./subscriptions.js";

export interface AppendOptions<T = RecordInput> extends RecordOptions, CallSettings {
  /** How values become records. Default: objects are JSON records, bytes raw ones. */
  readonly type?: RecordType<T>;
  /** Of each batch as a whole. Default "none". */
  readonly compression?: Compression;
}

/** A connection to an HStream cluster. All failures are HStreamClientError. */
export class HStreamClient implements AsyncDisposable {
  readonly streams: Streams;
  readonly subscriptions: Subscriptions;
  readonly connectors: Connectors;
  readonly #connection: Connection;
  readonly #appenders = new Map<string, Appender>();

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.streams = new Streams(connection);
    this.subscriptions = new Subscriptions(connection);
    this.connectors = new Connectors(connection);
  }

  /**
   * Connects to the first of the named servers that answers. Fails with reason "unavailable" when none
   * does, "refused" when the token is not known, "usage" when the options make no sense.
   * @param url hstream://host:port[,host:port]…, or hstreams://… for TLS
   */
  static async connect(url: string, options: ConnectOptions = {}): Promise<HStreamClient> {
    return new HStreamClient(await Connection.open(url, options));
  }

  /** The servers known, the preferred one first. */
  get addresses(): readonly Address[] {
    return this.#connection.addresses;
  }

  /** Answers with the same text; to see whether the server does. */
  async echo(text: string, settings?: CallSettings): Promise<string> {
    return (await this.#connection.call(HStreamApiService.echo, { msg: text }, settings)).msg;
  }

  async describeCluster(settings?: CallSettings): Promise<DescribeClusterResponse> {
    return this.#connection.call(HStreamApiService.describeCluster, {}, settings);
  }

  /**
   * Stores records and answers with their ids, in the same order. Those of one shard go in one batch, or,
   * if they are too much for that, in several one after the other; so a failure can leave some of them
   * stored. After UNAVAILABLE a batch is sent again, and can then be stored twice: see `appendStream`.
   */
  append(
    stream: string,
    values: readonly RecordInput[],
    options?: AppendOptions<RecordInput>,
  ): Promise<readonly RecordId[]>;
  append<T>(
    stream: string,
    values: readonly T[],
    options: AppendOptions<T> & { readonly type: RecordType<T> },
  ): Promise<readonly RecordId[]>;
  async append<T>(
    stream: string,
    values: readonly T[],
    options: AppendOptions<T> = {},
  ): Promise<readonly RecordId[]> {
    if (values.length === 0) return [];
    const appender = this.#appender(stream);
    const batches = planBatches(values, typeIn(options), options, await appender.shards(options));
    const last = new Map<bigint, Promise<unknown>>();
    const stored = batches.map(async ({ shardId, records, places }) => {
      const before = last.get(shardId);
      const storing = (async () => {
        const batch = await encodeBatch(records, options.compression ?? "none");
        await before;
        return appender.store(shardId, batch, options);
      })();
      last.set(shardId, storing);
      const ids = await storing;
      return places.map((place, at) => [place, ids[at]] as const);
    });
    return inOrder(await Promise.all(stored));
  }

  /**
   * Opens a stream of appends: many under way at a time, each stored exactly once. Fails when there is no
   * such stream; needs a server with the HStreamExt service.
   */
  appendStream(
    stream: string,
    options?: AppendStreamOptions<RecordInput>,
  ): Promise<AppendStream<RecordInput>>;
  appendStream<T>(
    stream: string,
    options: AppendStreamOptions<T> & { readonly type: RecordType<T> },
  ): Promise<AppendStream<T>>;
  async appendStream<T>(stream: string, options: AppendStreamOptions<T> = {}): Promise<AppendStream<T>> {
    const appender = new Appender(this.#connection, stream);
    const shards = await appender.shards();
    return new AppendStream(this.#numbered(appender, options), shards, typeIn(options), options);
  }

  /** Opens a producer that gathers records into batches. Fails when there is no such stream. */
  bufferedProducer(
    stream: string,
    options?: ProducerOptions<RecordInput>,
  ): Promise<BufferedProducer<RecordInput>>;
  bufferedProducer<T>(
    stream: string,
    options: ProducerOptions<T> & { readonly type: RecordType<T> },
  ): Promise<BufferedProducer<T>>;
  async bufferedProducer<T>(stream: string, options: ProducerOptions<T> = {}): Promise<BufferedProducer<T>> {
    const appender = new Appender(this.#connection, stream);
    const shards = await appender.shards();
    const sink = options.idempotent === true ? this.#numbered(appender, options) : appender;
    return new BufferedProducer(sink, shards, typeIn(options), this.#connection.system, options);
  }

  /** Receives the records of a subscription: iterate over what this answers. */
  consume(subscription: string, options?: ConsumeOptions<RecordInput>): Consumer<RecordInput>;
  consume<T>(
    subscription: string,
    options: ConsumeOptions<T> & { readonly type: RecordType<T> },
  ): Consumer<T>;
  consume<T>(subscription: string, options: ConsumeOptions<T> = {}): Consumer<T> {
    return new Consumer(this.#connection, this.subscriptions, subscription, typeIn(options), options);
  }

  /** Reads a stream without a subscription: iterate over what this answers. */
  read(stream: string, options?: ReadOptions<RecordInput>): Reader<RecordInput>;
  read<T>(stream: string, options: ReadOptions<T> & { readonly type: RecordType<T> }): Reader<T>;
  read<T>(stream: string, options: ReadOptions<T> = {}): Reader<T> {
    const shards = () => new Appender(this.#connection, stream).shards();
    return new Reader(this.#connection, stream, shards, typeIn(options), options);
  }

  /** Runs a script of one or more statements of any kind: iterate over what this answers. */
  sql(text: string, options: SqlOptions = {}): SqlExecution {
    return new SqlExecution(this.#connection, text, options);
  }

  /**
   * The rows of one query, with columns as fields: of an answer that ends, or of a push query (EMIT
   * CHANGES) that goes on. `parse` checks a row, and throws if it does not fit; without it the shape that
   * the program names is believed.
   */
  query<Row extends object = SqlRow>(
    text: string,
    options: SqlOptions & { readonly parse?: (row: SqlRow) => Row } = {},
  ): SqlQuery<Row> {
    const parse = options.parse ?? ((row: SqlRow) => row as unknown as Row);
    return new SqlQuery(this.sql(text, options), parse);
  }

  /** Closes the connections. What is under way fails with reason "closed". */
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

  #numbered(appender: Appender, options: { readonly outageMsMax?: number }): NumberedSink {
    return new NumberedSink(this.#connection, appender, options.outageMsMax ?? limits.appendOutageMsMax);
  }
}

/** Where a type is not given, T is RecordInput: the overloads say so. */
function typeIn<T>(options: { readonly type?: RecordType<T> }): RecordType<T> {
  return options.type ?? (anyRecord as unknown as RecordType<T>);
}
