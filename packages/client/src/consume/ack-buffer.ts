import type { RecordId } from "@hstream/proto";
import { limits } from "../limits.js";
import type { System } from "../system.js";

/** Gathers acknowledgements, so that they travel together: until so many wait, or the oldest is so old. */
export class AckBuffer {
  readonly #system: System;
  readonly #send: () => void;
  #acks: RecordId[] = [];
  /** Negative ones, by their delay in ms. */
  #nacks = new Map<number, RecordId[]>();
  #count = 0;
  #cancelTimer: (() => void) | undefined;

  /** `send` is called when it is time to take what waits. */
  constructor(system: System, send: () => void) {
    this.#system = system;
    this.#send = send;
  }

  ack(id: RecordId): void {
    this.#acks.push(id);
    this.#added();
  }

  nack(id: RecordId, delayMs: number): void {
    const group = this.#nacks.get(delayMs);
    if (group === undefined) this.#nacks.set(delayMs, [id]);
    else group.push(id);
    this.#added();
  }

  /** Takes all acks, in the order in which they came. */
  takeAcks(): readonly RecordId[] {
    const acks = this.#acks;
    this.#acks = [];
    this.#taken(acks.length);
    return acks;
  }

  /** Takes all negative acks. */
  takeNacks(): ReadonlyMap<number, readonly RecordId[]> {
    const nacks = this.#nacks;
    this.#nacks = new Map();
    for (const group of nacks.values()) this.#taken(group.length);
    return nacks;
  }

  #added(): void {
    this.#count += 1;
    if (this.#count >= limits.acksWaitingMax) this.#due();
    else this.#cancelTimer ??= this.#system.schedule(limits.ackAgeMs, () => this.#due());
  }

  #due(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#send();
  }

  #taken(count: number): void {
    this.#count -= count;
    if (this.#count > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
