import type { QueryStanding, RunStatus } from "./session-output.js";
import type { StreamForm } from "./stream-view.js";

const everyMs = 100;
/** The rate is over about so long. */
const rateOverMs = 1_000;

export interface ProgressOptions {
  /** Milliseconds, never going back. */
  readonly clock: () => number;
  readonly schedule: (ms: number, callback: () => void) => () => void;
  readonly report: (status: RunStatus) => void;
}

/** Counts rows, and reports now and then until it is ended. */
export class Progress {
  readonly startedAt: number;
  rows = 0;
  endless = false;
  paused = false;
  form: StreamForm | undefined;
  standing: QueryStanding | undefined;
  readonly #options: ProgressOptions;
  #cancelTimer: (() => void) | undefined;
  #marks: { readonly at: number; readonly rows: number }[];

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.startedAt = options.clock();
    this.#marks = [{ at: this.startedAt, rows: 0 }];
    this.#arm();
  }

  get elapsedMs(): number {
    return this.#options.clock() - this.startedAt;
  }

  report(): void {
    const now = this.#options.clock();
    this.#marks.push({ at: now, rows: this.rows });
    while (this.#marks.length > 2 && now - (this.#marks[1]?.at ?? now) >= rateOverMs) this.#marks.shift();
    const first = this.#marks[0] ?? { at: now, rows: this.rows };
    const seconds = (now - first.at) / 1_000;
    const rowsPerSecond = seconds > 0 ? (this.rows - first.rows) / seconds : 0;
    const { rows, endless, paused, form, standing, elapsedMs } = this;
    this.#options.report({ rows, rowsPerSecond, elapsedMs, endless, paused, form, standing });
  }

  end(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #arm(): void {
    this.#cancelTimer = this.#options.schedule(everyMs, () => {
      this.report();
      this.#arm();
    });
  }
}
