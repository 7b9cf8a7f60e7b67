import { createHash } from "node:crypto";
import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  type AppendRequest,
  type AppendResponse,
  type AppendStreamRequest,
  type AppendStreamResponse,
  type BatchedRecord,
  type ExecuteSqlRequest,
  type ExecuteSqlResponse,
  HStreamApiService,
  HStreamExtService,
  type RecordId,
  type Shard,
  type Stream,
  type StreamingFetchRequest,
  type StreamingFetchResponse,
  type Subscription,
} from "@hstream/proto";
import { realSystem } from "../system.js";
import { FakeSqlError, type FakeTables, runFakeSql } from "./fake-sql.js";

export { done, header, rows } from "./columns.js";
export { FakeSqlError } from "./fake-sql.js";

interface StoredBatch {
  readonly stream: string;
  readonly ids: RecordId[];
  readonly batch: BatchedRecord;
}

/** A gRPC failure as the API encodes it. */
export class FakeError extends FakeSqlError {
  constructor(grpc: number, code: number, message: string) {
    super(message, code, grpc, null);
  }
}

/**
 * What becomes of a batch: stored and answered; stored without an answer, as are those right behind it, until the
 * call is lost; or the call is lost before.
 */
export type AppendFate = "store" | "lose the answers" | "lose it";

export type SqlHandler = (text: string, cancelled: AbortSignal) => AsyncIterable<ExecuteSqlResponse>;

/** A server in memory. Fields are open so that tests can look and interfere. */
export class FakeServer implements FakeTables {
  readonly tables = new Map<string, Record<string, unknown>[]>();
  readonly listeners = new Set<(table: string, row: Record<string, unknown>) => void>();
  readonly streams = new Map<string, Stream>();
  readonly subscriptions = new Map<string, Subscription>();
  readonly batches: StoredBatch[] = [];
  readonly acked: RecordId[] = [];
  readonly fetches = new Set<ServerDuplexStream<StreamingFetchRequest, StreamingFetchResponse>>();
  /** Called before each append; may delay or throw a FakeError. */
  beforeAppend: (request: AppendRequest) => Promise<void> | void = () => {};
  /** Decides on each batch that comes by AppendStream. */
  onAppendStream: (request: AppendStreamRequest) => AppendFate = () => "store";
  /** What each producer has stored in each shard, by `producer shard`: its appends count from 1. */
  readonly #numbered = new Map<string, bigint[]>();
  /** Called when acks arrive. */
  onAcks: (ids: readonly RecordId[]) => void = () => {};
  onSql: SqlHandler = (text, cancelled) => runFakeSql(text, this, cancelled);
  /** The other servers that it says there are, by their ports. */
  otherPorts: readonly number[] = [];
  /** Nodes of the cluster that are not there. */
  deadNodeIds: readonly number[] = [];
  /** SQL calls that were cancelled by their caller. */
  cancelledSql = 0;
  readonly #server = new Server();
  port = 0;

  /** `ext: false`: a server that has only the services of HStreamDB. */
  static async start(port = 0, { ext = true }: { readonly ext?: boolean } = {}): Promise<FakeServer> {
    const fake = new FakeServer();
    fake.#server.addService(HStreamApiService, fake.#api());
    if (ext)
      fake.#server.addService(HStreamExtService, {
        executeSql: (call: ServerWritableStream<ExecuteSqlRequest, ExecuteSqlResponse>) =>
          void fake.#executeSql(call),
        appendStream: (call: ServerDuplexStream<AppendStreamRequest, AppendStreamResponse>) =>
          fake.#appendStream(call),
      });
    fake.port = await new Promise((resolve, reject) => {
      fake.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return fake;
  }

  private deadNodes() {
    const state = 3 as const;
    return this.deadNodeIds.map((id) => ({
      node: { id, host: "10.0.0.1", port: 1, version: undefined },
      state,
    }));
  }

  get url(): string {
    return `hstream://127.0.0.1:${this.port}`;
  }

  shards(stream: string): Shard[] {
    const count = this.#stream(stream).shardCount;
    const top = (1n << 128n) - 1n;
    const step = top / BigInt(count);
    return Array.from({ length: count }, (_, place) => ({
      streamName: stream,
      shardId: shardIdOf(stream, place),
      startHashRangeKey: String(BigInt(place) * step),
      endHashRangeKey: String(place === count - 1 ? top : BigInt(place + 1) * step - 1n),
      epoch: 1n,
      isActive: true,
    }));
  }

  /** Ends every fetch as a server that goes away does. */
  dropFetches(): void {
    for (const call of this.fetches) {
      call.emit(
        "error",
        Object.assign(new Error("gone"), { code: 14, details: "gone", metadata: new Metadata() }),
      );
    }
    this.fetches.clear();
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #stream(name: string): Stream {
    const stream = this.streams.get(name);
    if (stream === undefined) throw new FakeError(5, 200, `Stream "${name}" does not exist.`);
    return stream;
  }

  #subscription(id: string): Subscription {
    const subscription = this.subscriptions.get(id);
    if (subscription === undefined) throw new FakeError(5, 300, `Subscription "${id}" does not exist.`);
    return subscription;
  }

  #api(): UntypedServiceImplementation {
    const node = () => ({ id: 1, host: "127.0.0.1", port: this.port, version: undefined });
    const now = () => ({ seconds: 1_700_000_000n, nanos: 0 });
    return {
      echo: unary(HStreamApiService.echo, ({ msg }) => ({ msg })),
      describeCluster: unary(HStreamApiService.describeCluster, () => ({
        protocolVersion: "0.1.0",
        serverNodes: [node(), ...this.otherPorts.map((port) => ({ ...node(), port }))],
        serverNodesStatus: [{ node: node(), state: 1 as const }, ...this.deadNodes()],
        clusterUpTime: 1n,
      })),
      createStream: unary(HStreamApiService.createStream, (stream) => {
        if (this.streams.has(stream.streamName)) {
          throw new FakeError(6, 201, `Stream "${stream.streamName}" exists already.`);
        }
        const made = { ...stream, creationTime: now() };
        this.streams.set(stream.streamName, made);
        this.tables.set(stream.streamName, []);
        return made;
      }),
      listStreams: unary(HStreamApiService.listStreams, () => ({ streams: [...this.streams.values()] })),
      listStreamsWithPrefix: unary(HStreamApiService.listStreamsWithPrefix, ({ prefix }) => ({
        streams: [...this.streams.values()].filter(({ streamName }) => streamName.startsWith(prefix)),
      })),
      getStream: unary(HStreamApiService.getStream, ({ name }) => ({ stream: this.#stream(name) })),
      deleteStream: unary(HStreamApiService.deleteStream, ({ streamName, ignoreNonExist }) => {
        if (!ignoreNonExist) this.#stream(streamName);
        this.streams.delete(streamName);
        return {};
      }),
      listShards: unary(HStreamApiService.listShards, ({ streamName }) => ({
        shards: this.shards(streamName),
      })),
      lookupShard: unary(HStreamApiService.lookupShard, ({ shardId }) => ({ shardId, serverNode: node() })),
      append: unary(HStreamApiService.append, (request) => this.#append(request)),
      createSubscription: unary(HStreamApiService.createSubscription, (subscription) => {
        const id = subscription.subscriptionId;
        if (this.subscriptions.has(id)) throw new FakeError(6, 301, `Subscription "${id}" exists already.`);
        if (!this.streams.has(subscription.streamName)) {
          throw new FakeError(9, 302, `Stream "${subscription.streamName}" does not exist.`);
        }
        const made = { ...subscription, creationTime: now() };
        this.subscriptions.set(id, made);
        return made;
      }),
      listSubscriptions: unary(HStreamApiService.listSubscriptions, () => ({
        subscription: [...this.subscriptions.values()],
      })),
      getSubscription: unary(HStreamApiService.getSubscription, ({ id }) => ({
        subscription: this.#subscription(id),
        offsets: [],
      })),
      checkSubscriptionExist: unary(HStreamApiService.checkSubscriptionExist, ({ subscriptionId }) => ({
        exists: this.subscriptions.has(subscriptionId),
      })),
      deleteSubscription: unary(HStreamApiService.deleteSubscription, ({ subscriptionId }) => {
        this.#subscription(subscriptionId);
        this.subscriptions.delete(subscriptionId);
        return {};
      }),
      listConsumers: unary(HStreamApiService.listConsumers, () => ({ consumers: [] })),
      lookupSubscription: unary(HStreamApiService.lookupSubscription, ({ subscriptionId }) => ({
        subscriptionId,
        serverNode: node(),
      })),
      streamingFetch: (call: ServerDuplexStream<StreamingFetchRequest, StreamingFetchResponse>) =>
        this.#fetch(call),
    };
  }

  async #append(request: AppendRequest): Promise<AppendResponse> {
    await this.beforeAppend(request);
    const batch = request.records;
    if (batch === undefined || batch.batchSize === 0) throw new FakeError(3, 206, "empty batch");
    const batchId = BigInt(1_000_000_000_000_000 + this.batches.length);
    const ids = Array.from({ length: batch.batchSize }, (_, batchIndex) => ({
      shardId: request.shardId,
      batchId,
      batchIndex,
    }));
    this.batches.push({ stream: request.streamName, ids, batch });
    return { streamName: request.streamName, shardId: request.shardId, recordIds: ids };
  }

  /** Numbers are contiguous; only the last five results are kept, as a real server keeps them. */
  #appendStream(call: ServerDuplexStream<AppendStreamRequest, AppendStreamResponse>): void {
    let stream = "";
    let [lost, silent] = [false, false];
    const lose = () => {
      if (lost) return;
      lost = true;
      call.emit("error", encode(new FakeError(14, 0, "gone")));
    };
    call.on("error", () => {
      lost = true;
    });
    call.on("end", () => call.end());
    call.on("data", (message: AppendStreamRequest) => {
      for (const request of [message, ...message.more]) take(request);
    });
    const take = (request: AppendStreamRequest) => {
      if (lost) return;
      if (request.streamName !== "") stream = request.streamName;
      const { requestId, shardId, records: batch, producerId, sequence } = request;
      const fate = this.onAppendStream(request);
      if (fate === "lose it" || batch === undefined) return lose();
      const results = this.#numbered.get(`${producerId} ${shardId}`) ?? [];
      this.#numbered.set(`${producerId} ${shardId}`, results);
      const next = BigInt(results.length) + 1n;
      if (sequence > next || sequence <= next - 6n) {
        const details = sequence > next ? `the next sequence is ${next}` : "stored before";
        call.write({ requestId, result: { $case: "failure", value: { status: 9, details } }, more: [] });
        return;
      }
      if (sequence === next) {
        const batchId = BigInt(1_000_000_000_000_000 + this.batches.length);
        const ids = Array.from({ length: batch.batchSize }, (_, batchIndex) => ({
          shardId,
          batchId,
          batchIndex,
        }));
        this.batches.push({ stream, ids, batch });
        results.push(batchId);
      }
      if (fate === "lose the answers" && !silent) {
        silent = true;
        realSystem.schedule(2, lose);
      }
      if (silent) return;
      const batchId = results[Number(sequence) - 1] ?? 0n;
      const value = { shardId, batchId, recordCount: batch.batchSize };
      call.write({ requestId, result: { $case: "appended", value }, more: [] });
    };
  }

  #fetch(call: ServerDuplexStream<StreamingFetchRequest, StreamingFetchResponse>): void {
    let registered = false;
    this.fetches.add(call);
    call.on("data", (request: StreamingFetchRequest) => {
      this.acked.push(...request.ackIds);
      if (request.ackIds.length > 0) this.onAcks(request.ackIds);
      if (registered) return;
      registered = true;
      const subscription = this.subscriptions.get(request.subscriptionId);
      if (subscription === undefined) {
        call.emit("error", encode(new FakeError(5, 300, "no such subscription")));
        return;
      }
      for (const { stream, ids, batch } of this.batches) {
        if (stream === subscription.streamName) {
          call.write({ receivedRecords: { recordIds: ids, record: batch } });
        }
      }
    });
    call.on("end", () => {
      this.fetches.delete(call);
      call.end();
    });
    call.on("cancelled", () => this.fetches.delete(call));
    call.on("error", () => this.fetches.delete(call));
  }

  async #executeSql(call: ServerWritableStream<ExecuteSqlRequest, ExecuteSqlResponse>): Promise<void> {
    const stop = new AbortController();
    call.on("cancelled", () => {
      this.cancelledSql += 1;
      stop.abort();
    });
    try {
      for await (const answer of this.onSql(call.request.sql, stop.signal)) {
        if (stop.signal.aborted) return;
        if (!call.write(answer)) {
          await new Promise<void>((resolve) => {
            call.once("drain", resolve);
            call.once("cancelled", resolve);
          });
        }
      }
      call.end();
    } catch (error) {
      call.emit("error", encode(error));
    }
  }
}

function unary<Request, Response>(
  _method: {
    readonly responseSerialize: (value: Response) => Buffer;
    readonly requestDeserialize: (value: Buffer) => Request;
  },
  answer: (request: Request) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => answer(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(encode(error)),
      );
  };
}

function encode(error: unknown) {
  const known = error instanceof FakeSqlError;
  const body = known ? { error: error.code, message: error.message, extra: error.extra } : undefined;
  return Object.assign(new Error(), {
    code: known ? error.grpc : 13,
    details: body === undefined ? String(error) : JSON.stringify(body),
    metadata: new Metadata(),
  });
}

function shardIdOf(stream: string, place: number): bigint {
  return BigInt(`0x${createHash("md5").update(`${stream}-${place}`).digest("hex").slice(0, 12)}`) + 1n;
}
