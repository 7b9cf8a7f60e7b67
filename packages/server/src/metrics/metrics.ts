import type { Clock, Timer, Timers } from "../env/env.js";
import { Health } from "./health.js";
import { Histogram } from "./histogram.js";
import type { Meter } from "./meter.js";
import { Meters } from "./meters.js";
import { Moment } from "./moment.js";
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
    this.#present = undefined;
  };
  #present: Moment | undefined;
  #sweep: Timer | undefined;

  constructor(clock: Clock, timers: Timers) {
    this.clock = clock;
    this.#timers = timers;
    this.#startedMs = clock.monotonic();
  }

  get uptimeMs(): number {
    return this.now() - this.#startedMs;
  }

  /** Milliseconds of the monotonic clock at the present moment. */
  now(): number {
    return this.moment().ms;
  }

  /**
   * The moment to measure from. The clock is read once for all that goes on in one burst of settled
   * promises, such as the appends that one sync has made durable: it is what counting costs most.
   */
  moment(): Moment {
    return this.#present ?? this.#read();
  }

  /** What counts the appends to a stream, for `appended`; to be kept as long as the stream exists. */
  appendsOf(streamId: string): Meter<AppendLane> {
    return this.appends.of(streamId, this.now());
  }

  /** A batch of the meter's stream is durable, which was asked for at `started`. */
  appended(meter: Meter<AppendLane>, bytes: number, records: number, started: Moment): void {
    const now = this.moment();
    meter.add(now, bytes, records, 1);
    this.appendLatency.recordFrom(started, now);
    this.health.worked();
  }

  appendFailed(streamId: string): void {
    const now = this.moment();
    this.appends.of(streamId, now.ms).add(now, 0, 0, 0, 1);
  }

  /** Stored batches were read, by a subscription, a query or a reader. */
  read(streamId: string, bytes: number, records: number, startedMs: number): void {
    const now = this.moment();
    this.reads.of(streamId, now.ms).add(now, bytes, records, 1);
    this.readLatency.record(now.ms - startedMs);
  }

  /** Records were handed to a consumer. */
  delivered(subscriptionUid: string, bytes: number, records: number): void {
    const now = this.moment();
    this.deliveries.of(subscriptionUid, now.ms).add(now, bytes, records, 1);
  }

  /** One request of a consumer, with acks of so many records. */
  acked(subscriptionUid: string, records: number): void {
    const now = this.moment();
    this.deliveries.of(subscriptionUid, now.ms).add(now, 0, 0, 0, records, 1);
  }

  /** A query has made a step. */
  stepped(queryId: string, rowsIn: number, rowsOut: number, errors: number, diverted: number): void {
    const now = this.moment();
    this.queries.of(queryId, now.ms).add(now, rowsIn, rowsOut, errors, diverted);
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

  #read(): Moment {
    const present = new Moment(this.clock.monotonic());
    this.#present = present;
    queueMicrotask(this.#expire);
    return present;
  }
}
