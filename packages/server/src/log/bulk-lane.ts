/** While groups are committed: after how many of them one of those who wait has a turn. */
const groupsPerTurn = 2;
/** Turns at a time: one reads the disk while another one's data is decoded. */
const turnsAtOnceMax = 2;

/**
 * Who may do bulk work (read old data, rewrite segments) beside the commits, in turns that are short: so
 * that nobody who appends waits long for the disk or for this thread, and nobody who reads starves.
 */
export class BulkLane {
  #committing = false;
  #groupsSinceTurn = 0;
  #taken = 0;
  readonly #waiting: ((end: () => void) => void)[] = [];

  /** Resolves with the end of the turn, to be called once. */
  turn(): Promise<() => void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#admit();
    });
  }

  commitsBegin(): void {
    this.#committing = true;
  }

  groupCommitted(): void {
    this.#groupsSinceTurn++;
    this.#admit();
  }

  commitsEnd(): void {
    this.#committing = false;
    this.#admit();
  }

  #admit(): void {
    while (this.#taken < turnsAtOnceMax) {
      if (this.#committing && this.#groupsSinceTurn < groupsPerTurn) return;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#taken++;
      this.#groupsSinceTurn = 0;
      next(() => {
        this.#taken--;
        this.#admit();
      });
    }
  }
}
