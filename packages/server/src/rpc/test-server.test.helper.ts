import { type CallOptions, type Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { BatchHStreamRecords, HStreamApiClient, HStreamExtClient } from "@hstream/proto";
import { type ConfigSources, resolveConfig } from "../config/resolve-config.js";
import { createNodeEnv } from "../env/node-env.js";
import { SimulatedDisk } from "../env/simulated-disk.js";
import { HStreamError } from "../errors.js";
import type { SqlRoom } from "../queries/open-queries.js";
import { type RunningServer, type ServerOptions, startServer } from "../server.js";

/** A server on a free port, on a disk in memory, with real time and real sockets, and its clients. */
export interface TestServer {
  readonly server: RunningServer;
  readonly api: HStreamApiClient;
  readonly ext: HStreamExtClient;
  /** Unexpected errors that the server reported: there should be none. */
  readonly defects: string[];
  /** A further client with a connection of its own. */
  connect(): HStreamApiClient;
  close(): Promise<void>;
}

export async function startTestServer(
  options: Partial<ServerOptions> & { readonly flags?: ConfigSources["flags"] } = {},
): Promise<TestServer> {
  const resolved = resolveConfig({ flags: { port: 0, "data-dir": "/data", ...options.flags } });
  if (resolved.kind === "errors") throw new Error(JSON.stringify(resolved.errors));
  const defects: string[] = [];
  const server = await startServer({
    config: resolved.config,
    env: { ...createNodeEnv(), disk: new SimulatedDisk() },
    version: "0.0.0-test",
    openSql: () => Promise.resolve(noSql),
    report: (level, message, cause) => {
      if (level === "error") defects.push(`${message} ${String(cause)}`);
    },
    ...options,
  });
  const clients: Client[] = [];
  const connect = () => {
    const client = new HStreamApiClient(server.address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    clients.push(client);
    return client;
  };
  const ext = new HStreamExtClient(server.address, credentials.createInsecure());
  clients.push(ext);
  return {
    server,
    api: connect(),
    ext,
    defects,
    connect,
    close: async () => {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}

/** For tests that do without the queries room and its threads. */
const noSql: SqlRoom = {
  execute: () => {
    throw new HStreamError("Unimplemented", { what: "ExecuteSql" });
  },
  close: () => Promise.resolve(),
};

/** Calls a unary method and waits for its answer. */
export function call<Request, Response>(
  client: Client,
  method: (
    request: Request,
    metadata: Metadata,
    options: Partial<CallOptions>,
    callback: (error: ServiceError | null, response: Response) => void,
  ) => unknown,
  request: Request,
  metadata: Record<string, string> = {},
): Promise<Response> {
  const headers = new Metadata();
  for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
  return new Promise((resolve, reject) => {
    method.call(client, request, headers, {}, (error: ServiceError | null, response: Response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

/** What a call failed with. `error` and `text` are those of the JSON form, `plain` is the other form. */
export interface Failure {
  readonly status: number;
  readonly error?: number;
  readonly text?: string;
  readonly extra?: unknown;
  readonly plain?: string;
}

export async function failureOf(answer: Promise<unknown>): Promise<Failure> {
  try {
    await answer;
  } catch (error) {
    return failureIn(error as ServiceError);
  }
  throw new Error("the call succeeded");
}

export function failureIn({ code, details }: ServiceError): Failure {
  try {
    const { error, message, extra } = JSON.parse(details) as {
      error: number;
      message: string;
      extra: unknown;
    };
    return { status: code, error, text: message, extra };
  } catch {
    return { status: code, plain: details };
  }
}

/** An uncompressed batch of raw records. */
export function batchOf(...texts: string[]) {
  const records = texts.map((text) => ({
    header: { flag: 1 as const, attributes: new Map<string, string>(), key: "" },
    payload: Buffer.from(text),
  }));
  return {
    compressionType: 0 as const,
    batchSize: texts.length,
    payload: BatchHStreamRecords.encode({ records }).finish(),
  };
}
