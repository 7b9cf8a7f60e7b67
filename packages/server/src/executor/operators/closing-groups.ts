import type { SqlValue } from "@hstream/sql/runtime";
import { isTimestamp } from "../columns.js";

/**
 * Job: numbers (of groups, keys, partitions) by the time from which nothing changes at them any more.
 * State: the numbers of each such time, in the order in which they were added.
 */
export class ClosingGroups {
  readonly #offsetMs: number;
  readonly #byTime = new Map<number, number[]>();
  #first = Number.POSITIVE_INFINITY;

  /** `offsetMs`: from the value to the watermark that closes it. */
  constructor(offsetMs: number) {
    this.#offsetMs = offsetMs;
  }

  /** What has no time (NULL) never closes. */
  add(value: SqlValue, group: number): void {
    if (!isTimestamp(value)) return;
    const time = value.ms + this.#offsetMs;
    const known = this.#byTime.get(time);
    if (known !== undefined) known.push(group);
    else {
      this.#byTime.set(time, [group]);
      if (time < this.#first) this.#first = time;
    }
  }

  isDue(watermarkMs: number): boolean {
    return this.#first <= watermarkMs;
  }

  /** Takes out those of the earliest time, if it is due. */
  take(watermarkMs: number): readonly number[] | undefined {
    if (!this.isDue(watermarkMs)) return undefined;
    const groups = this.#byTime.get(this.#first);
    this.#byTime.delete(this.#first);
    this.#first = Number.POSITIVE_INFINITY;
    for (const time of this.#byTime.keys()) if (time < this.#first) this.#first = time;
    return groups;
  }

  clear(): void {
    this.#byTime.clear();
    this.#first = Number.POSITIVE_INFINITY;
  }

  /** Estimated. */
  bytes(): number {
    return this.#byTime.size * 64;
  }
}
