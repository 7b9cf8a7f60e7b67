import type { Server } from "@grpc/grpc-js";
import { must } from "@hstream/proto";
import type { Clock } from "../env/env.js";
import { limits } from "../limits.js";

/** What connections are held to. */
export interface ConnectionLimits {
  /** Connections at a time; those beyond are closed as soon as they are made. */
  readonly connectionsMax: number;
  /** Calls at a time on one connection. */
  readonly callsMax: number;
  /** Calls that a connection may break off at once, and the number of them that it is forgiven each second. */
  readonly resetsMax: number;
  readonly resetsForgivenPerSecond: number;
  /** A connection is asked for a sign of life, ms; without an answer in time it is closed. */
  readonly keepAliveEveryMs: number;
  readonly keepAliveAnswerMs: number;
}

export const connectionLimits: ConnectionLimits = {
  connectionsMax: limits.connectionsMax,
  callsMax: limits.callsPerConnectionMax,
  resetsMax: limits.resetsPerConnectionMax,
  resetsForgivenPerSecond: limits.resetsForgivenPerSecond,
  keepAliveEveryMs: limits.keepAliveEveryMs,
  keepAliveAnswerMs: limits.keepAliveAnswerMs,
};

/** What is used of an http2.ServerHttp2Stream, its session, and the server that listens for them. */
interface CallStream {
  readonly rstCode: number;
  once(event: "close", listener: () => void): unknown;
}

interface Session {
  readonly destroyed: boolean;
  readonly socket?: { readonly remoteAddress?: string | undefined };
  on(event: "stream", listener: (stream: CallStream) => void): unknown;
  destroy(error?: Error, code?: number): void;
}

interface Listening {
  maxConnections: number;
  on(event: "session", listener: (session: Session) => void): unknown;
  on(event: "drop", listener: () => void): unknown;
}

const noError = 0;
const enhanceYourCalm = 11;

/**
 * Bounds connections and what one may break off: each broken call costs its set-up, and a client that breaks
 * them off as fast as it makes them never meets the bound of calls at a time (CVE-2023-44487). The library
 * opens its sockets itself and has no option for either, so its own table of them is used. `notice` is told
 * what was refused. To be called once the server listens.
 */
export function guardConnections(
  server: Server,
  { connectionsMax, resetsMax, resetsForgivenPerSecond }: ConnectionLimits,
  clock: Clock,
  notice: (message: string) => void,
): void {
  const { http2Servers } = server as unknown as { http2Servers?: ReadonlyMap<Listening, unknown> };
  for (const listening of must(http2Servers, "the library keeps the sockets it listens on").keys()) {
    listening.maxConnections = connectionsMax;
    listening.on("drop", () =>
      notice(`A gRPC connection was refused: there are ${connectionsMax} (connectionsMax).`),
    );
    listening.on("session", (session) => {
      const resets = new LeakyCount(resetsMax, resetsForgivenPerSecond, clock);
      session.on("stream", (stream) => {
        stream.once("close", () => {
          if (stream.rstCode === noError || session.destroyed || !resets.overflows()) return;
          const peer = session.socket?.remoteAddress ?? "an unknown address";
          notice(
            `A gRPC connection from ${peer} was closed: it broke off more than ${resetsMax} calls at once.`,
          );
          session.destroy(undefined, enhanceYourCalm);
        });
      });
    });
  }
}

/** A count that falls by so much each second. */
class LeakyCount {
  readonly #max: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #count = 0;
  #atMs = 0;

  constructor(max: number, perSecond: number, clock: Clock) {
    this.#max = max;
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** Counts one more; whether that is too many. */
  overflows(): boolean {
    const nowMs = this.#clock.monotonic();
    const fallen = ((nowMs - this.#atMs) / 1_000) * this.#perSecond;
    this.#count = Math.max(0, this.#count - fallen) + 1;
    this.#atMs = nowMs;
    return this.#count > this.#max;
  }
}
