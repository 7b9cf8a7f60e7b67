import { once } from "node:events";
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";

/** What came of a request: the statuses that were answered, or why there was no answer. */
export interface RawAnswer {
  readonly http?: number;
  readonly grpc?: number;
  readonly message: string;
  readonly failure?: string;
}

/** A message in the framing of gRPC: flag, length, bytes. */
export function framed(message: Uint8Array, flag = 0, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** Speaks HTTP/2 without a gRPC library, to send what no library would. */
export class RawClient {
  readonly session: ClientHttp2Session;

  constructor(address: string, settings: { readonly initialWindowSize?: number } = {}) {
    this.session = connect(`http://${address}`, { settings, maxSendHeaderBlockLength: 2 ** 24 });
    this.session.on("error", () => {});
  }

  /** Sends a body to a method of the API and waits for the end of the answer. */
  async send(method: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}): Promise<RawAnswer> {
    const stream = this.session.request({
      ":method": "POST",
      ":path": method.startsWith("/") ? method : `/hstream.server.HStreamApi/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let failure: string | undefined;
    const found: OutgoingHttpHeaders = {};
    stream.on("error", (error) => {
      failure = error.message;
    });
    stream.on("response", (answered) => Object.assign(found, answered));
    stream.on("trailers", (answered) => Object.assign(found, answered));
    stream.resume();
    stream.end(body);
    await once(stream, "close").catch(() => {});
    const status = (name: string) => (found[name] === undefined ? undefined : Number(found[name]));
    const [http, grpc] = [status(constants.HTTP2_HEADER_STATUS), status("grpc-status")];
    return {
      ...(http === undefined ? {} : { http }),
      ...(grpc === undefined ? {} : { grpc }),
      ...(failure === undefined ? {} : { failure }),
      message: decodeURIComponent(String(found["grpc-message"] ?? "")),
    };
  }

  close(): void {
    this.session.destroy();
  }
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** An HTTP/2 frame. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** Opens a connection, sends the preface and these frames; resolves when the server closes it, or in time. */
export async function sendFrames(
  address: string,
  frames: Uint8Array,
  patienceMs: number,
): Promise<"closed" | "open"> {
  const socket = await openSocket(address);
  socket.resume();
  const closed = new Promise<"closed">((resolve) => socket.on("close", () => resolve("closed")));
  socket.write(preface);
  socket.write(frame(4, 0, 0, new Uint8Array()));
  socket.write(frames);
  const outcome = await Promise.race([
    closed,
    new Promise<"open">((resolve) => setTimeout(() => resolve("open"), patienceMs).unref()),
  ]);
  socket.destroy();
  return outcome;
}

export async function openSocket(address: string): Promise<Socket> {
  const [host = "", port = ""] = address.split(":");
  const socket = connectSocket(Number(port), host);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}
