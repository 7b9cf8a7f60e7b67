import { assert } from "@hstream/proto";

/**
 * Past values of some growing totals, one for each boundary of a slot of time:
 *
 *     slot        n-2        n-1         n
 *            ├──────────┼──────────┼────────── now
 *     kept:  totals     totals     totals      (as they were at the boundary)
 *
 * Counting costs nothing here: only when time has passed a boundary are the totals copied, so a busy
 * counter pays once a slot and an idle one not at all.
 */
export class TotalRing {
  readonly #slotMs: number;
  readonly #slots: number;
  readonly #width: number;
  readonly #kept: Float64Array;
  /** The newest boundary that was kept, in slots since 0. */
  #newest: number;

  /** As if the totals had always been what they are now. */
  constructor(slotMs: number, slots: number, totals: Float64Array, nowMs: number) {
    this.#slotMs = slotMs;
    this.#slots = slots;
    this.#width = totals.length;
    this.#kept = new Float64Array(slots * totals.length);
    for (let slot = 0; slot < slots; slot++) this.#kept.set(totals, slot * this.#width);
    this.#newest = Math.floor(nowMs / slotMs);
  }

  get bytes(): number {
    return this.#kept.byteLength;
  }

  /** How far back it knows, ms. */
  get spanMs(): number {
    return (this.#slots - 1) * this.#slotMs;
  }

  /** Keeps the totals for the boundaries passed; to be called before the totals change. */
  advance(totals: Float64Array, nowMs: number): void {
    const current = Math.floor(nowMs / this.#slotMs);
    const first = Math.max(this.#newest + 1, current - this.#slots + 1);
    for (let slot = first; slot <= current; slot++) {
      this.#kept.set(totals, (slot % this.#slots) * this.#width);
    }
    if (current > this.#newest) this.#newest = current;
  }

  /** A total at a moment within the span, between boundaries in proportion. Advance first. */
  totalAt(lane: number, atMs: number, totals: Float64Array, nowMs: number): number {
    const slot = Math.floor(atMs / this.#slotMs);
    assert(slot > this.#newest - this.#slots && slot <= this.#newest, "a past total is within the ring");
    const start = this.#keptAt(slot, lane);
    const isNewest = slot === this.#newest;
    const end = isNewest ? (totals[lane] as number) : this.#keptAt(slot + 1, lane);
    const startMs = slot * this.#slotMs;
    const lengthMs = isNewest ? nowMs - startMs : this.#slotMs;
    return lengthMs <= 0 ? start : start + ((end - start) * (atMs - startMs)) / lengthMs;
  }

  #keptAt(slot: number, lane: number): number {
    return this.#kept[(slot % this.#slots) * this.#width + lane] as number;
  }
}
