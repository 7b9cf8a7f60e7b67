import type { Clock } from "../env/env.js";

/** One turn while nothing is committed, and how many there may be at a time: the disk reads ahead for one. */
const turnBytesMax = 1_048_576;
const turnsMax = 4;
/** Beside commits a turn costs those who append a moment of this thread: less than a sync takes. */
const turnBytesBesideCommits = 16_384;
const turnBytesBesideLargeCommits = 131_072;
const turnsBesideCommitsMax = 2;
/** Of what is committed, bulk work may do this part at the same time. */
const shareOfCommits = 1 / 4;
/** After this long without a commit none is expected, ms. */
const quietMs = 20;

/** Leave to read or write so many bytes in bulk now. */
export interface Turn {
  readonly bytes: number;
  /** To be called once. */
  end(): void;
}

interface Waiting {
  readonly bytes: number;
  readonly admit: (turn: Turn) => void;
}

/**
 * Who may do bulk work (read old data, rewrite segments) beside the commits, and how much at a time: large
 * turns, several at once, while nothing is committed; small ones otherwise, so that nobody who appends waits
 * long for the disk or for this thread, and nobody who reads starves.
 */
export class BulkLane {
  readonly #clock: Clock;
  #committing = false;
  #lastCommitMs = Number.NEGATIVE_INFINITY;
  /** Bytes of bulk work that commits have made up for. */
  #credit = 0;
  #taken = 0;
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves with a turn of at most so many bytes; it may be of fewer. */
  turn(bytes: number): Promise<Turn> {
    return new Promise((admit) => {
      this.#waiting.push({ bytes, admit });
      this.#admit();
    });
  }

  commitsBegin(): void {
    this.#committing = true;
  }

  groupCommitted(bytes: number): void {
    const more = Math.max(turnBytesBesideCommits, bytes * shareOfCommits);
    this.#credit = Math.min(this.#credit + more, turnBytesMax);
    this.#admit();
  }

  commitsEnd(): void {
    this.#committing = false;
    this.#credit = 0;
    this.#lastCommitMs = this.#clock.monotonic();
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0) {
      const bytes = this.#allowance();
      const next = bytes > 0 ? this.#waiting.shift() : undefined;
      if (next === undefined) return;
      const granted = Math.min(bytes, next.bytes);
      if (this.#committing) this.#credit -= granted;
      this.#taken++;
      next.admit({
        bytes: granted,
        end: () => {
          this.#taken--;
          this.#admit();
        },
      });
    }
  }

  /** Bytes of the next turn; 0 when there is none now. */
  #allowance(): number {
    if (this.#committing) {
      if (this.#taken >= turnsBesideCommitsMax || this.#credit < turnBytesBesideCommits) return 0;
      return Math.min(this.#credit, turnBytesBesideLargeCommits);
    }
    const quiet = this.#clock.monotonic() - this.#lastCommitMs >= quietMs;
    if (quiet) return this.#taken < turnsMax ? turnBytesMax : 0;
    // Somebody who waits for each commit before the next will be back at once.
    return this.#taken === 0 ? turnBytesBesideCommits : 0;
  }
}
