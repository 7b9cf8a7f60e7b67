/**
 * What windows and joins within a time must give, straight from their definitions: an evaluator of its own that
 * knows records and nothing of plans. It is asked after every step for the whole answer.
 */

export interface TimedRecord {
  readonly k: number;
  readonly v: number;
  readonly t: number;
}

/** A record as its source gave it: with the watermark just before it. */
export interface ReadRecord extends TimedRecord {
  readonly before: number;
}

/** A source: the least over its shards of the largest time less the lateness; never falling. */
export class NaiveSource {
  readonly #latenessMs: number;
  readonly #shards: Map<number, number>;
  /** Of idle shards, for how long. */
  readonly #idle = new Map<number, number>();
  watermark = Number.NEGATIVE_INFINITY;

  constructor(latenessMs: number, shards: readonly number[]) {
    this.#latenessMs = latenessMs;
    this.#shards = new Map(shards.map((shard) => [shard, Number.NEGATIVE_INFINITY]));
  }

  read(shard: number, record: TimedRecord): ReadRecord {
    const read = { ...record, before: this.watermark };
    this.#idle.delete(shard);
    this.#reach(shard, record.t - this.#latenessMs);
    return read;
  }

  idle(shard: number, elapsedMs: number): void {
    this.#idle.set(shard, elapsedMs);
    this.#reach(shard, Number.NEGATIVE_INFINITY);
  }

  tell(shard: number, timeMs: number): void {
    this.#reach(shard, timeMs);
  }

  #reach(shard: number, timeMs: number): void {
    this.#shards.set(shard, Math.max(this.#shards.get(shard) ?? Number.NEGATIVE_INFINITY, timeMs));
    const active = [...this.#shards].filter(([id]) => !this.#idle.has(id)).map(([, time]) => time);
    const known = [...this.#shards].filter(([, time]) => time > Number.NEGATIVE_INFINITY);
    // When none is active, time goes on without records.
    const counted = active.length > 0 ? active : known.map(([id, time]) => time + (this.#idle.get(id) ?? 0));
    if (counted.length > 0) this.watermark = Math.max(this.watermark, Math.min(...counted));
  }
}

/** A row of an answer: key, window, COUNT(*), SUM(v), MIN(v), MAX(v), and the watermark that closes it. */
export interface WindowRow {
  readonly row: readonly number[];
  readonly closedAt: number;
}

export interface Answer {
  readonly rows: readonly WindowRow[];
  readonly late: number;
}

function aggregated(k: number, start: number, end: number, records: readonly TimedRecord[]): number[] {
  const values = records.map(({ v }) => v);
  const sum = values.reduce((a, b) => a + b, 0);
  return [k, start, end, records.length, sum, Math.min(...values), Math.max(...values)];
}

export function hopping(sizeMs: number, hopMs: number, records: readonly ReadRecord[]): Answer {
  const windows = new Map<string, { k: number; start: number; in: TimedRecord[] }>();
  let late = 0;
  for (const record of records) {
    let taken = false;
    for (let start = -60 * hopMs; start <= record.t; start += hopMs) {
      const holds = record.t < start + sizeMs;
      if (!holds || start + sizeMs <= record.before) continue;
      taken = true;
      const key = `${record.k} ${start}`;
      const window = windows.get(key) ?? { k: record.k, start, in: [] };
      window.in.push(record);
      windows.set(key, window);
    }
    if (!taken) late += 1;
  }
  const rows = [...windows.values()].map(({ k, start, in: list }) => {
    const end = start + sizeMs;
    return { row: aggregated(k, start, end, list), closedAt: end };
  });
  return { rows, late };
}

export function sliding(sizeMs: number, records: readonly ReadRecord[]): Answer {
  const accepted = records.filter(({ t, before }) => t >= before);
  const ends = new Map(accepted.map(({ k, t }) => [`${k} ${t}`, { k, end: t }]));
  const rows = [...ends.values()].map(({ k, end }) => {
    const list = accepted.filter((one) => one.k === k && one.t <= end && one.t > end - sizeMs);
    return { row: aggregated(k, end - sizeMs, end, list), closedAt: end + 1 };
  });
  return { rows, late: records.length - accepted.length };
}

export function sessions(gapMs: number, records: readonly ReadRecord[]): Answer {
  let all: { k: number; first: number; last: number; in: TimedRecord[] }[] = [];
  let late = 0;
  for (const record of records) {
    const { k, t, before } = record;
    const near = all.filter(
      (one) => one.k === k && one.last + gapMs >= before && t <= one.last + gapMs && t >= one.first - gapMs,
    );
    if (near.length === 0 && t + gapMs < before) {
      late += 1;
      continue;
    }
    const first = Math.min(t, ...near.map((one) => one.first));
    const last = Math.max(t, ...near.map((one) => one.last));
    all = all.filter((one) => !near.includes(one));
    all.push({ k, first, last, in: [...near.flatMap((one) => one.in), record] });
  }
  const rows = all.map(({ k, first, last, in: list }) => ({
    row: aggregated(k, first, last + gapMs, list),
    closedAt: last + gapMs + 1,
  }));
  return { rows, late };
}

export type JoinKind = "inner" | "left" | "right" | "full";

/** Pairs of equal keys at most withinMs apart; rows without a partner once the bound is behind the watermark. */
export function joinedWithin(
  kind: JoinKind,
  withinMs: number,
  left: readonly ReadRecord[],
  right: readonly ReadRecord[],
  watermark: number,
): { readonly rows: readonly (readonly (number | null)[])[]; readonly late: number } {
  const onTime = (list: readonly ReadRecord[]): readonly ReadRecord[] =>
    list.filter(({ t, before }) => t >= before);
  const [l, r] = [onTime(left), onTime(right)];
  const meets = (a: TimedRecord, b: TimedRecord): boolean => a.k === b.k && Math.abs(a.t - b.t) <= withinMs;
  const rows: (number | null)[][] = l.flatMap((a) =>
    r.filter((b) => meets(a, b)).map((b) => [a.k, a.v, b.v]),
  );
  const isOver = ({ t }: TimedRecord): boolean => t + withinMs < watermark;
  if (kind === "left" || kind === "full") {
    for (const a of l) if (isOver(a) && !r.some((b) => meets(a, b))) rows.push([a.k, a.v, null]);
  }
  if (kind === "right" || kind === "full") {
    for (const b of r) if (isOver(b) && !l.some((a) => meets(a, b))) rows.push([null, null, b.v]);
  }
  return { rows, late: left.length + right.length - l.length - r.length };
}
