import { TotalRing } from "./total-ring.js";

/** Rates of the last two minutes come from fine slots, those of the last hour from coarse ones. */
const fine = { slotMs: 1_000, slots: 121 } as const;
const coarse = { slotMs: 15_000, slots: 242 } as const;
/** A meter without traffic for so long gives its rings back. */
export const idleMs = 3_600_000;

/**
 * Counts of one kind of traffic of one object. `Lane` names what is counted together: bytes, records, …
 * Times are of the monotonic clock, ms.
 */
export class Meter<Lane extends string> {
  readonly #lanes: readonly Lane[];
  readonly #bornMs: number;
  readonly #totals: Float64Array;
  #rings: { readonly fine: TotalRing; readonly coarse: TotalRing } | undefined;
  #nextBoundaryMs = 0;
  #lastMs: number;

  constructor(lanes: readonly Lane[], nowMs: number) {
    this.#lanes = lanes;
    this.#bornMs = nowMs;
    this.#lastMs = nowMs;
    this.#totals = new Float64Array(lanes.length);
  }

  /** Adds to the lanes, in the order in which they were named. */
  add(nowMs: number, first: number, second = 0, third = 0, fourth = 0, fifth = 0): void {
    if (nowMs >= this.#nextBoundaryMs) this.#advance(nowMs);
    const totals = this.#totals;
    totals[0] = (totals[0] as number) + first;
    if (totals.length > 1) totals[1] = (totals[1] as number) + second;
    if (totals.length > 2) totals[2] = (totals[2] as number) + third;
    if (totals.length > 3) totals[3] = (totals[3] as number) + fourth;
    if (totals.length > 4) totals[4] = (totals[4] as number) + fifth;
  }

  /** Memory of its rings. */
  get ringBytes(): number {
    return this.#rings === undefined ? 0 : this.#rings.fine.bytes + this.#rings.coarse.bytes;
  }

  /** Since the meter was made. */
  total(lane: Lane): number {
    return this.#totals[this.#lanes.indexOf(lane)] ?? 0;
  }

  /** Per second, over the last `windowMs` (at most an hour) or the age of the meter, if that is less. */
  rate(lane: Lane, windowMs: number, nowMs: number): number {
    const lengthMs = Math.min(windowMs, nowMs - this.#bornMs);
    if (this.#rings === undefined || lengthMs <= 0) return 0;
    this.#advanceRings(nowMs);
    const index = this.#lanes.indexOf(lane);
    const ring = lengthMs <= this.#rings.fine.spanMs ? this.#rings.fine : this.#rings.coarse;
    const before = ring.totalAt(index, nowMs - lengthMs, this.#totals, nowMs);
    return (((this.#totals[index] ?? 0) - before) * 1_000) / lengthMs;
  }

  /** Gives the rings back after an idle hour; they come again with the next traffic. */
  freeIfIdle(nowMs: number): "idle" | "active" {
    if (nowMs - this.#lastMs < idleMs) return "active";
    this.#rings = undefined;
    this.#nextBoundaryMs = 0;
    return "idle";
  }

  #advance(nowMs: number): void {
    this.#rings ??= {
      fine: new TotalRing(fine.slotMs, fine.slots, this.#totals, nowMs),
      coarse: new TotalRing(coarse.slotMs, coarse.slots, this.#totals, nowMs),
    };
    this.#lastMs = nowMs;
    this.#advanceRings(nowMs);
  }

  #advanceRings(nowMs: number): void {
    if (this.#rings === undefined) return;
    this.#rings.fine.advance(this.#totals, nowMs);
    this.#rings.coarse.advance(this.#totals, nowMs);
    this.#nextBoundaryMs = this.#rings.fine.nextBoundaryMs;
  }
}
