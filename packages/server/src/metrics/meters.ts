import { limits } from "../limits.js";
import { Meter } from "./meter.js";

/** The meters of objects of one kind, by the objects' ids. */
export class Meters<Lane extends string> {
  readonly #lanes: readonly Lane[];
  readonly #meters = new Map<string, Meter<Lane>>();
  /** What comes beyond the bound is counted together. */
  #others: Meter<Lane> | undefined;
  /** Totals of meters that were let go, so that sums never fall. */
  readonly #gone = new Map<Lane, number>();

  constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes;
  }

  /** The meter to count with; made if there is none. */
  of(id: string, nowMs: number): Meter<Lane> {
    const present = this.#meters.get(id);
    if (present !== undefined) return present;
    if (this.#meters.size >= limits.meteredObjectsMax) {
      this.#others ??= new Meter(this.#lanes, nowMs);
      return this.#others;
    }
    const meter = new Meter(this.#lanes, nowMs);
    this.#meters.set(id, meter);
    return meter;
  }

  find(id: string): Meter<Lane> | undefined {
    return this.#meters.get(id);
  }

  forget(id: string): void {
    const meter = this.#meters.get(id);
    if (meter === undefined) return;
    for (const lane of this.#lanes) this.#gone.set(lane, (this.#gone.get(lane) ?? 0) + meter.total(lane));
    this.#meters.delete(id);
  }

  /** Memory of the rings of all meters. */
  get ringBytes(): number {
    let bytes = this.#others?.ringBytes ?? 0;
    for (const meter of this.#meters.values()) bytes += meter.ringBytes;
    return bytes;
  }

  /** Of all objects together, also of those that are no more. */
  sum(lane: Lane): number {
    let sum = (this.#others?.total(lane) ?? 0) + (this.#gone.get(lane) ?? 0);
    for (const meter of this.#meters.values()) sum += meter.total(lane);
    return sum;
  }

  /** Frees the rings of idle meters, and forgets those of objects that are no more. */
  sweep(nowMs: number, exists: (id: string) => boolean): void {
    for (const [id, meter] of this.#meters) {
      if (meter.freeIfIdle(nowMs) === "idle" && !exists(id)) this.forget(id);
    }
  }
}
