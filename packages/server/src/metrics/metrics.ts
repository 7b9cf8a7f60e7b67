import type { Clock, Timer, Timers } from "../env/env.js";
import { Health } from "./health.js";
import { Histogram } from "./histogram.js";
import { Meters } from "./meters.js";
import { RecentErrors } from "./recent-errors.js";

export const appendLanes = ["bytes", "records", "requests", "failed"] as const;
export type AppendLane = (typeof appendLanes)[number];
export const readLanes = ["bytes", "records", "requests"] as const;
export type ReadLane = (typeof readLanes)[number];
export const deliveryLanes = ["bytes", "records", "responses", "acks", "requests"] as const;
export type DeliveryLane = (typeof deliveryLanes)[number];
export const queryLanes = ["rowsIn", "rowsOut", "errors", "diverted"] as const;
export type QueryLane = (typeof queryLanes)[number];

/** Which objects there are, for the sweep that forgets the others. */
export interface KnownObjects {
  stream(id: string): boolean;
  subscription(id: string): boolean;
}

const sweepEveryMs = 60_000;

/**
 * What this node counts. Everything is since the start of the server; streams and subscriptions are
 * named by ids that are never used again. None of the functions throws.
 */
export class Metrics {
  readonly clock: Clock;
  readonly appends = new Meters<AppendLane>(appendLanes);
  readonly reads = new Meters<ReadLane>(readLanes);
  readonly deliveries = new Meters<DeliveryLane>(deliveryLanes);
  readonly queries = new Meters<QueryLane>(queryLanes);
  readonly appendLatency = new Histogram();
  readonly readLatency = new Histogram();
  readonly httpLatency = new Histogram();
  readonly errors = new RecentErrors();
  readonly health = new Health();
  readonly #timers: Timers;
  readonly #startedMs: number;
  readonly #expire = () => {
    this.#isFresh = false;
  };
  #isFresh = false;
  #nowMs = 0;
  #sweep: Timer | undefined;

  constructor(clock: Clock, timers: Timers) {
    this.clock = clock;
    this.#timers = timers;
    this.#startedMs = clock.monotonic();
  }

  get uptimeMs(): number {
    return this.now() - this.#startedMs;
  }

  /**
   * The moment to measure from, ms of the monotonic clock. Read once for all that goes on in one burst of
   * settled promises, such as the appends that one sync has made durable: the clock is what counting
   * costs most.
   */
  now(): number {
    if (!this.#isFresh) {
      this.#nowMs = this.clock.monotonic();
      this.#isFresh = true;
      queueMicrotask(this.#expire);
    }
    return this.#nowMs;
  }

  /** A batch is durable, which was asked for at `startedMs`. */
  appended(streamId: string, bytes: number, records: number, startedMs: number): void {
    const nowMs = this.now();
    this.appends.of(streamId, nowMs).add(nowMs, bytes, records, 1);
    this.appendLatency.record(nowMs - startedMs);
    this.health.worked();
  }

  appendFailed(streamId: string): void {
    const nowMs = this.now();
    this.appends.of(streamId, nowMs).add(nowMs, 0, 0, 0, 1);
  }

  /** Stored batches were read, by a subscription, a query or a reader. */
  read(streamId: string, bytes: number, records: number, startedMs: number): void {
    const nowMs = this.now();
    this.reads.of(streamId, nowMs).add(nowMs, bytes, records, 1);
    this.readLatency.record(nowMs - startedMs);
  }

  /** Records were handed to a consumer. */
  delivered(subscriptionUid: string, bytes: number, records: number): void {
    const nowMs = this.now();
    this.deliveries.of(subscriptionUid, nowMs).add(nowMs, bytes, records, 1);
  }

  /** One request of a consumer, with acks of so many records. */
  acked(subscriptionUid: string, records: number): void {
    const nowMs = this.now();
    this.deliveries.of(subscriptionUid, nowMs).add(nowMs, 0, 0, 0, records, 1);
  }

  /** A query has made a step. */
  stepped(queryId: string, rowsIn: number, rowsOut: number, errors: number, diverted: number): void {
    const nowMs = this.now();
    this.queries.of(queryId, nowMs).add(nowMs, rowsIn, rowsOut, errors, diverted);
  }

  failed(source: string, kind: string, message: string): void {
    this.errors.add({ timeMs: this.clock.now(), source, kind, message });
  }

  /** Begins to free what idle objects have, and to forget those that are no more. */
  startSweeping(known: KnownObjects): void {
    this.#sweep = this.#timers.after(sweepEveryMs, () => {
      const nowMs = this.now();
      this.appends.sweep(nowMs, (id) => known.stream(id));
      this.reads.sweep(nowMs, (id) => known.stream(id));
      this.deliveries.sweep(nowMs, (id) => known.subscription(id));
      this.queries.sweep(nowMs, () => true);
      this.startSweeping(known);
    });
  }

  close(): void {
    this.#sweep?.cancel();
  }
}
