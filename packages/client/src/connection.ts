import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type MethodDefinition,
} from "@grpc/grpc-js";
import { HStreamApiService } from "@hstream/proto";
import { type Address, formatAddress, parseServiceUrl, type ServiceUrl } from "./address.js";
import { fromGrpc, HStreamClientError, isUnavailable } from "./errors.js";
import { limits } from "./limits.js";
import { realSystem, type System } from "./system.js";

/** How the servers are trusted, and how they trust us: PEM texts, not paths. */
export interface TlsOptions {
  /** The certificates that the servers' are signed by. Default: those that Node trusts. */
  readonly ca?: string | Uint8Array;
  /** The client's own certificate, for servers that ask for one; with `key`. */
  readonly cert?: string | Uint8Array;
  /** The private key of `cert`. */
  readonly key?: string | Uint8Array;
  /** The name that the servers' certificates must be good for. Default: the host of the URL. */
  readonly serverName?: string;
}

export interface ConnectOptions {
  /** Only with `hstreams://`. */
  readonly tls?: TlsOptions;
  /** Sent as `authorization: Basic <token>`. Who can read the network can read it, unless TLS is used. */
  readonly token?: string;
  /** Deadline of a unary call, ms (5000). */
  readonly requestTimeoutMs?: number;
  /** Longest wait before the next try after UNAVAILABLE, ms (5000). */
  readonly retryPauseMs?: number;
  /** How often a connection with calls on it is asked for a sign of life, ms (30000); 0: never. */
  readonly keepAliveMs?: number;
  /** Ends the attempt to connect; later it means nothing. */
  readonly signal?: AbortSignal;
  /** Sent with every call. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Clock, timers and chance; for tests. */
  readonly system?: System;
}

/** Of a single call. */
export interface CallSettings {
  /** Ends the call; it then fails with reason "cancelled". */
  readonly signal?: AbortSignal | undefined;
  /** Deadline, ms; default that of the connection. */
  readonly timeoutMs?: number;
}

type Unary<Request, Response> = MethodDefinition<Request, Response> & {
  readonly requestStream: false;
  readonly responseStream: false;
};

/** The channels to the servers of one cluster, and the rules for which of them a call goes to. */
export class Connection {
  readonly system: System;
  readonly #retryPauseMs: number;
  readonly #requestTimeoutMs: number;
  readonly #credentials: ChannelCredentials;
  readonly #channelOptions: ChannelOptions;
  readonly #metadata: Metadata;
  readonly #channels = new Map<string, Client>();
  readonly #streams = new Set<{ cancel(): void }>();
  #addresses: readonly Address[];
  #closed = false;

  private constructor({ secure, addresses }: ServiceUrl, options: ConnectOptions) {
    this.#addresses = addresses;
    this.system = options.system ?? realSystem;
    this.#retryPauseMs = options.retryPauseMs ?? limits.retryPauseMs;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? limits.requestTimeoutMs;
    this.#credentials = credentialsOf(secure, options.tls);
    this.#channelOptions = channelOptionsOf(options);
    this.#metadata = metadataOf(options);
  }

  /** Asks the named servers in turn which servers the cluster has. Throws when none answers. */
  static async open(url: string, options: ConnectOptions): Promise<Connection> {
    const connection = new Connection(parseServiceUrl(url), options);
    try {
      await connection.#refresh(options.signal);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The servers known, the preferred one first. */
  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Learns the servers of the cluster. A cluster of one is kept under the name by which it was
   * reached, since what it advertises may mean nothing here.
   */
  async #refresh(signal: AbortSignal | undefined): Promise<void> {
    const { serverNodes } = await this.call(HStreamApiService.describeCluster, {}, { signal });
    const nodes = serverNodes.map(({ host, port }) => ({ host, port }));
    // The one that answered is the first by now.
    this.#addresses = nodes.length > 1 ? nodes : this.#addresses.slice(0, 1);
  }

  /** Another server than the preferred one has answered: it is the first from now on, and knows the others. */
  async #prefer(address: Address, addresses: readonly Address[]): Promise<void> {
    this.#addresses = [address, ...addresses.filter((other) => other !== address)];
    try {
      const { serverNodes } = await this.callAt(address, HStreamApiService.describeCluster, {});
      const nodes = serverNodes.map(({ host, port }) => ({ host, port }));
      const isFirst = (node: Address) => formatAddress(node) === formatAddress(address);
      if (nodes.length > 1)
        this.#addresses = [...nodes.filter(isFirst), ...nodes.filter((node) => !isFirst(node))];
    } catch {
      // The servers known before will do.
    }
  }

  /** A call that any server can answer. UNAVAILABLE: once over the list of servers, with pauses. */
  async call<Request, Response>(
    method: Unary<Request, Response>,
    request: Request,
    settings: CallSettings = {},
  ): Promise<Response> {
    const addresses = this.#addresses;
    for (const [index, address] of addresses.entries()) {
      try {
        const response = await this.callAt(address, method, request, settings);
        if (index > 0) await this.#prefer(address, addresses);
        return response;
      } catch (error) {
        if (!isUnavailable(error) || index === addresses.length - 1) throw error;
        await this.pause(settings.signal);
      }
    }
    throw noServer();
  }

  /** A call to one server. */
  async callAt<Request, Response>(
    address: Address,
    method: Unary<Request, Response>,
    request: Request,
    settings: CallSettings = {},
  ): Promise<Response> {
    const { signal } = settings;
    if (signal?.aborted === true) throw cancelled();
    const client = this.#channel(address);
    const options: CallOptions = {
      deadline: this.system.now() + (settings.timeoutMs ?? this.#requestTimeoutMs),
    };
    return new Promise<Response>((resolve, reject) => {
      const call = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.#metadata,
        options,
        (error, response) => {
          signal?.removeEventListener("abort", cancel);
          if (error !== null) reject(fromGrpc(error));
          else if (response === undefined) reject(fromGrpc(new Error(`${method.path} answered nothing`)));
          else resolve(response);
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** A call whose answers come one by one. Read it with an iterator; its errors are those of gRPC. */
  serverStream<Request, Response>(
    address: Address,
    method: MethodDefinition<Request, Response>,
    request: Request,
  ): ClientReadableStream<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return this.#track(
      this.#channel(address).makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata,
      ),
    );
  }

  /** The same, with any number of requests. */
  bidiStream<Request, Response>(
    address: Address,
    method: MethodDefinition<Request, Response>,
  ): ClientDuplexStream<Request, Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return this.#track(
      this.#channel(address).makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        this.#metadata,
      ),
    );
  }

  /** The node that a lookup answered with; in a cluster of one, the one we know. */
  nodeAddress(node: Address | undefined): Address {
    const first = this.#addresses[0];
    if (this.#addresses.length > 1 && node !== undefined) return { host: node.host, port: node.port };
    if (first === undefined) throw noServer();
    return first;
  }

  /** Waits before another try. */
  async pause(signal: AbortSignal | undefined): Promise<void> {
    await this.#sleep(this.#retryPauseMs, signal);
  }

  /** The same for calls that last: the first tries, counted from 0, come soon. */
  async backOff(tries: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#sleep(Math.min(this.#retryPauseMs, limits.reconnectPauseMs * 2 ** tries), signal);
  }

  /** Ends all calls that last, and the channels. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#streams) stream.cancel();
    this.#streams.clear();
    for (const client of this.#channels.values()) client.close();
    this.#channels.clear();
  }

  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.system.sleep(ms, signal);
    } catch {
      throw cancelled();
    }
  }

  #track<Stream extends ClientReadableStream<unknown>>(stream: Stream): Stream {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    // Whoever reads it reports errors; without a listener a late one would end the process.
    stream.on("error", () => this.#streams.delete(stream));
    return stream;
  }

  /** The channel to a server; opened at its first use. */
  #channel(address: Address): Client {
    if (this.#closed) throw clientClosed();
    const name = formatAddress(address);
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const client = new Client(name, this.#credentials, this.#channelOptions);
    this.#channels.set(name, client);
    return client;
  }
}

function credentialsOf(secure: boolean, tls: TlsOptions | undefined): ChannelCredentials {
  if (!secure) {
    if (tls === undefined) return credentials.createInsecure();
    throw usage("The option tls needs a URL that starts with hstreams://.");
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    throw usage("A client's certificate and its key come together: tls.cert and tls.key.");
  }
  try {
    return credentials.createSsl(pem(tls?.ca), pem(tls?.key), pem(tls?.cert));
  } catch (cause) {
    throw usage(
      `The certificates cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
    );
  }
}

function pem(text: string | Uint8Array | undefined): Buffer | null {
  if (text === undefined) return null;
  return typeof text === "string"
    ? Buffer.from(text)
    : Buffer.from(text.buffer, text.byteOffset, text.length);
}

function channelOptionsOf({ tls, keepAliveMs = limits.keepAliveMs }: ConnectOptions): ChannelOptions {
  const name = tls?.serverName;
  return {
    "grpc.max_receive_message_length": limits.messageBytesMax,
    "grpc.enable_retries": 0,
    "grpc-node.flow_control_window": limits.windowBytes,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    // So that a new client does not wait for what another one's connection waits for.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.primary_user_agent": "hstream-client-js",
    ...(keepAliveMs === 0
      ? {}
      : {
          "grpc.keepalive_time_ms": keepAliveMs,
          "grpc.keepalive_timeout_ms": limits.keepAliveAnswerMs,
        }),
    ...(name === undefined ? {} : { "grpc.ssl_target_name_override": name, "grpc.default_authority": name }),
  };
}

function metadataOf({ token, metadata = {} }: ConnectOptions): Metadata {
  const all = new Metadata();
  try {
    for (const [key, value] of Object.entries(metadata)) all.set(key, value);
    if (token !== undefined) all.set("authorization", `Basic ${token}`);
  } catch {
    // What the value was is nobody's business.
    throw usage("A token, or a value of metadata, has characters that no header can carry.");
  }
  return all;
}

function usage(message: string): HStreamClientError {
  return new HStreamClientError({ reason: "usage", message });
}

function noServer(): HStreamClientError {
  return usage("No server is named.");
}

/** What a call fails with that its caller cancelled. */
export function cancelled(): HStreamClientError {
  return new HStreamClientError({ reason: "cancelled", message: "The call was cancelled." });
}

/** What every use of a closed client fails with. */
export function clientClosed(): HStreamClientError {
  return new HStreamClientError({ reason: "closed", message: "The client is closed." });
}
