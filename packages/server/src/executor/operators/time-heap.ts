/** Numbers with times, the earliest first: a binary heap. */
export class TimeHeap {
  #times = new Float64Array(16);
  #items = new Int32Array(16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The earliest time, or infinity. */
  get first(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : (this.#times[0] as number);
  }

  add(time: number, item: number): void {
    if (this.#count === this.#times.length) this.#grow();
    let at = this.#count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#times[parent] as number) <= time) break;
      this.#times[at] = this.#times[parent] as number;
      this.#items[at] = this.#items[parent] as number;
      at = parent;
    }
    this.#times[at] = time;
    this.#items[at] = item;
  }

  /** Takes the earliest out; there is one. */
  take(): number {
    const item = this.#items[0] as number;
    this.#count -= 1;
    const last = this.#count;
    const time = this.#times[last] as number;
    const moved = this.#items[last] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && (this.#times[child + 1] as number) < (this.#times[child] as number)) child += 1;
      if ((this.#times[child] as number) >= time) break;
      this.#times[at] = this.#times[child] as number;
      this.#items[at] = this.#items[child] as number;
      at = child;
    }
    this.#times[at] = time;
    this.#items[at] = moved;
    return item;
  }

  clear(): void {
    this.#count = 0;
  }

  bytes(): number {
    return this.#times.length * 12;
  }

  #grow(): void {
    const [times, items] = [this.#times, this.#items];
    this.#times = new Float64Array(times.length * 2);
    this.#items = new Int32Array(items.length * 2);
    this.#times.set(times);
    this.#items.set(items);
  }
}
