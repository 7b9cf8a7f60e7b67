import type { StreamForm } from "./stream-view.js";

/** How far a running query is. */
export interface QueryStanding {
  /** How long the oldest record that it has not read has been waiting. */
  readonly lagMs: number | undefined;
  /** Nothing older is expected any more; of queries over time. */
  readonly watermark: string | undefined;
}

/** What a statement that runs has brought so far. */
export interface RunStatus {
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly elapsedMs: number;
  readonly endless: boolean;
  readonly paused: boolean;
  /** Of a view that is drawn again and again: what it is. */
  readonly label?: string;
  /** Of a push query: how far it is behind, as the server says. */
  readonly standing?: QueryStanding | undefined;
  /** Of a push query: how it is shown. */
  readonly form?: StreamForm | undefined;
}

/** Where a session prints. */
export interface SessionOutput {
  /** Settles when there is room for more. */
  readonly write: (text: string) => Promise<void>;
  /** Drops what was written and is not on the screen yet. */
  readonly discard: () => void;
  readonly columns: () => number;
  readonly rows: () => number;
  /** Called now and then while something runs, and with undefined when it is over. */
  readonly status: (status: RunStatus | undefined) => void;
  /** Lines below the scrollback that change in place; none: empty. */
  readonly panel: (lines: readonly string[]) => void;
  /** Whether `panel` shows anything: a shell without a live area prints instead. */
  readonly live: boolean;
  /** Lends the terminal to another program; undefined where there is none to lend. */
  readonly lend: ((work: () => Promise<void>) => Promise<void>) | undefined;
  /** Asks the user; undefined where nobody can be asked. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
  /** Puts a text into the prompt. */
  readonly prefill: (text: string) => void;
}

/** `1 row`, `2 rows`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}
