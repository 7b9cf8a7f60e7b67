import type { Turn } from "./bulk-lane.js";

/** Thrown into work that is to end before it is done. */
export class GivenUp extends Error {
  override readonly name = "GivenUp";
}

/** What one turn is asked for. */
const askedBytes = 1_048_576;

/** Cuts long work into turns: whoever works says how many bytes it was, and waits where that is too many. */
export class Pace {
  readonly #take: (bytes: number) => Promise<Turn | undefined>;
  #turn: Turn | undefined;
  #left = 0;

  /** `take` resolves with undefined when the work is to be given up. */
  constructor(take: (bytes: number) => Promise<Turn | undefined>) {
    this.#take = take;
  }

  /** Whether `bytes` more can be worked on at once; otherwise `next` is due before. */
  spend(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left > 0;
  }

  /** Ends the turn and waits for another. Rejects with GivenUp. */
  async next(): Promise<void> {
    this.end();
    this.#turn = await this.#take(askedBytes);
    if (this.#turn === undefined) throw new GivenUp();
    this.#left = this.#turn.bytes;
  }

  end(): void {
    this.#turn?.end();
    this.#turn = undefined;
    this.#left = 0;
  }
}
