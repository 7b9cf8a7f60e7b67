import { assert } from "@hstream/proto";
import type { Moment } from "./moment.js";
import { TotalRing } from "./total-ring.js";

/** Rates of the last two minutes come from fine slots, those of the last hour from coarse ones. */
const fine = { slotMs: 1_000, slots: 121 } as const;
const coarse = { slotMs: 15_000, slots: 242 } as const;
const lanesMax = 5;
/** A meter without traffic for so long gives its rings back. */
export const idleMs = 3_600_000;

/**
 * Counts of one kind of traffic of one object. `Lane` names what is counted together: bytes, records, …
 * Times are of the monotonic clock, ms.
 *
 * Counting is on the way of every append, so it is a few additions to plain fields:
 *
 *     add ──> pending of this second ──(the second is over, or somebody asks)──> totals ──> rings
 */
export class Meter<Lane extends string> {
  /** What is pending belongs to it. */
  #at = -1;
  // One for each lane that a meter may have. An array of numbers would cost two more look-ups of memory.
  #first = 0;
  #second = 0;
  #third = 0;
  #fourth = 0;
  #fifth = 0;
  readonly #lanes: readonly Lane[];
  readonly #bornMs: number;
  readonly #totals: Float64Array;
  #rings: { readonly fine: TotalRing; readonly coarse: TotalRing } | undefined;
  #lastMs: number;

  constructor(lanes: readonly Lane[], nowMs: number) {
    assert(lanes.length <= lanesMax, "a meter has a field for each of its lanes");
    this.#lanes = lanes;
    this.#bornMs = nowMs;
    this.#lastMs = nowMs;
    this.#totals = new Float64Array(lanes.length);
  }

  /** Adds to the lanes, in the order in which they were named. */
  add(now: Moment, first: number, second = 0, third = 0, fourth = 0, fifth = 0): void {
    if (now.second !== this.#at) this.#advance(now);
    this.#first += first;
    this.#second += second;
    this.#third += third;
    if (fourth !== 0) this.#fourth += fourth;
    if (fifth !== 0) this.#fifth += fifth;
  }

  /** Memory of its rings. */
  get ringBytes(): number {
    return this.#rings === undefined ? 0 : this.#rings.fine.bytes + this.#rings.coarse.bytes;
  }

  /** Since the meter was made. */
  total(lane: Lane): number {
    this.#settle();
    return this.#totals[this.#lanes.indexOf(lane)] ?? 0;
  }

  /** Per second, over the last `windowMs` (at most an hour) or the age of the meter, if that is less. */
  rate(lane: Lane, windowMs: number, nowMs: number): number {
    const lengthMs = Math.min(windowMs, nowMs - this.#bornMs);
    if (this.#rings === undefined || lengthMs <= 0) return 0;
    this.#settle();
    this.#rings.fine.advance(this.#totals, nowMs);
    this.#rings.coarse.advance(this.#totals, nowMs);
    const index = this.#lanes.indexOf(lane);
    const ring = lengthMs <= this.#rings.fine.spanMs ? this.#rings.fine : this.#rings.coarse;
    const before = ring.totalAt(index, nowMs - lengthMs, this.#totals, nowMs);
    return (((this.#totals[index] ?? 0) - before) * 1_000) / lengthMs;
  }

  /** Gives the rings back after an idle hour; they come again with the next traffic. */
  freeIfIdle(nowMs: number): "idle" | "active" {
    if (nowMs - this.#lastMs < idleMs) return "active";
    this.#rings = undefined;
    this.#at = -1;
    return "idle";
  }

  /** Adds what is pending to the totals. */
  #settle(): void {
    const pending = [this.#first, this.#second, this.#third, this.#fourth, this.#fifth];
    for (let lane = 0; lane < this.#totals.length; lane++) {
      this.#totals[lane] = (this.#totals[lane] as number) + (pending[lane] as number);
    }
    this.#first = 0;
    this.#second = 0;
    this.#third = 0;
    this.#fourth = 0;
    this.#fifth = 0;
  }

  #advance({ ms, second }: Moment): void {
    this.#settle();
    this.#rings ??= {
      fine: new TotalRing(fine.slotMs, fine.slots, this.#totals, ms),
      coarse: new TotalRing(coarse.slotMs, coarse.slots, this.#totals, ms),
    };
    this.#rings.fine.advance(this.#totals, ms);
    this.#rings.coarse.advance(this.#totals, ms);
    this.#lastMs = ms;
    this.#at = second;
  }
}
