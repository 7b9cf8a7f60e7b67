/** Values of the past that a rate is drawn over: a minute, when it is looked each second. */
const historyMax = 60;
/** Things that are counted at a time. */
const seriesMax = 10_000;

/** Turns counters that only grow into rates per second, and remembers them. */
export class Rates {
  readonly #known = new Map<string, { readonly count: number; readonly at: number }>();
  readonly #series = new Map<string, number[]>();

  /** The rate since the counter was told last; undefined the first time. `at`: ms. */
  tell(name: string, count: number, at: number): number | undefined {
    const before = this.#known.get(name);
    if (before === undefined && this.#known.size >= seriesMax) return undefined;
    this.#known.set(name, { count, at });
    if (before === undefined || at <= before.at) return undefined;
    // A counter that went back began anew.
    const rate = (Math.max(0, count - before.count) * 1_000) / (at - before.at);
    const series = this.#series.get(name) ?? [];
    series.push(rate);
    if (series.length > historyMax) series.shift();
    this.#series.set(name, series);
    return rate;
  }

  /** The rates of the last minute, the newest last. */
  past(name: string): readonly number[] {
    return this.#series.get(name) ?? [];
  }
}
