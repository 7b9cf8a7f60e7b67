import { type CallOptions, Client, credentials, Metadata, type MethodDefinition } from "@grpc/grpc-js";
import { HStreamApiService } from "@hstream/proto";
import { type Address, formatAddress, parseServiceUrl } from "./address.js";
import { fromGrpc, HStreamClientError, isUnavailable } from "./errors.js";
import { limits } from "./limits.js";
import { realSystem, type System } from "./system.js";

export interface ConnectOptions {
  /** Deadline of a unary call, ms (5000). */
  readonly requestTimeoutMs?: number;
  /** Wait before the next try after UNAVAILABLE, ms (5000). */
  readonly retryPauseMs?: number;
  /** Sent with every call. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Clock, timers and chance; for tests. */
  readonly system?: System;
}

export interface CallSettings {
  readonly signal?: AbortSignal | undefined;
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
  readonly requestTimeoutMs: number;
  readonly metadata: Metadata;
  readonly #channels = new Map<string, Client>();
  #addresses: readonly Address[];
  #closed = false;

  private constructor(addresses: readonly Address[], options: ConnectOptions) {
    this.#addresses = addresses;
    this.system = options.system ?? realSystem;
    this.#retryPauseMs = options.retryPauseMs ?? limits.retryPauseMs;
    this.requestTimeoutMs = options.requestTimeoutMs ?? limits.requestTimeoutMs;
    this.metadata = new Metadata();
    for (const [key, value] of Object.entries(options.metadata ?? {})) this.metadata.set(key, value);
  }

  /** Asks the named servers in turn which servers the cluster has. Throws when none answers. */
  static async open(url: string, options: ConnectOptions): Promise<Connection> {
    const connection = new Connection(parseServiceUrl(url), options);
    try {
      await connection.refresh();
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

  /**
   * Learns the servers of the cluster. A cluster of one is kept under the name by which it was
   * reached, since what it advertises may mean nothing here.
   */
  async refresh(): Promise<void> {
    const { serverNodes } = await this.#inTurn(HStreamApiService.describeCluster, {}, {});
    const nodes = serverNodes.map(({ host, port }) => ({ host, port }));
    // The one that answered is the first by now.
    this.#addresses = nodes.length > 1 ? nodes : this.#addresses.slice(0, 1);
  }

  /** A call that any server can answer. UNAVAILABLE: once over the list of servers. */
  async call<Request, Response>(
    method: Unary<Request, Response>,
    request: Request,
    settings: CallSettings = {},
  ): Promise<Response> {
    return this.#inTurn(method, request, settings);
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
    const client = this.channel(address);
    const options: CallOptions = {
      deadline: this.system.now() + (settings.timeoutMs ?? this.requestTimeoutMs),
    };
    return new Promise<Response>((resolve, reject) => {
      const call = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.metadata,
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

  /** The channel to a server; opened at its first use. */
  channel(address: Address): Client {
    if (this.#closed) throw new HStreamClientError({ reason: "closed", message: "The client is closed." });
    const name = formatAddress(address);
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const client = new Client(name, credentials.createInsecure(), {
      "grpc.max_receive_message_length": limits.messageBytesMax,
      "grpc.enable_retries": 0,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 2_000,
      "grpc.primary_user_agent": "hstream-client-js",
    });
    this.#channels.set(name, client);
    return client;
  }

  /** The node that a lookup answered with; in a cluster of one, the one we know. */
  nodeAddress(node: Address | undefined): Address {
    const first = this.#addresses[0];
    if (this.#addresses.length > 1 && node !== undefined) return { host: node.host, port: node.port };
    if (first === undefined)
      throw new HStreamClientError({ reason: "usage", message: "No server is named." });
    return first;
  }

  /** Waits before another try. */
  async pause(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.system.sleep(this.#retryPauseMs, signal);
    } catch {
      throw cancelled();
    }
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#channels.values()) client.close();
    this.#channels.clear();
  }

  async #inTurn<Request, Response>(
    method: Unary<Request, Response>,
    request: Request,
    settings: CallSettings,
  ): Promise<Response> {
    const addresses = this.#addresses;
    for (const [index, address] of addresses.entries()) {
      try {
        const response = await this.callAt(address, method, request, settings);
        if (index > 0) this.#addresses = [address, ...addresses.filter((other) => other !== address)];
        return response;
      } catch (error) {
        if (!isUnavailable(error) || index === addresses.length - 1) throw error;
        await this.pause(settings.signal);
      }
    }
    throw new HStreamClientError({ reason: "usage", message: "No server is named." });
  }
}

function cancelled(): HStreamClientError {
  return new HStreamClientError({ reason: "cancelled", message: "The call was cancelled." });
}
