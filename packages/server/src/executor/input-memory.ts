import { assert } from "@hstream/proto";
import { limits } from "../limits.js";

/** What is read of a shard at a time, with the frames around it; what goes beyond has memory of its own. */
const blockBytes = limits.readBytesMax + limits.readBytesMax / 8;

/**
 * Memory that stored records are read into and that the worker reads them from, without a copy in between:
 * blocks that both threads share, used again and again, so that they stay in the processor's caches and none of
 * them is ever cleared, faulted in, or counted by a garbage collector.
 *
 * A block has one lease at a time, and goes from one owner to the next: who reads the log takes the lease, and
 * gives it on with the input (`QueryExecution.feed`), which gives it back when the worker has used the input up.
 * A lease that is lost on the way (a read that fails, a query that is cancelled) takes its block with it.
 */
export class InputMemory {
  readonly #idle: SharedArrayBuffer[] = [];

  /** A lease that has no block before something is taken of it. */
  lease(): InputLease {
    return new InputLease(
      () => this.#idle.pop() ?? new SharedArrayBuffer(blockBytes),
      (block) => {
        if (this.#idle.length < limits.inputBlocksKept) this.#idle.push(block);
      },
    );
  }
}

/** The right to write to a block, from its beginning to its end. */
export class InputLease {
  readonly #open: () => SharedArrayBuffer;
  readonly #close: (block: SharedArrayBuffer) => void;
  #block: SharedArrayBuffer | undefined;
  #used = 0;
  #isReleased = false;

  /** Use InputMemory.lease. */
  constructor(open: () => SharedArrayBuffer, close: (block: SharedArrayBuffer) => void) {
    this.#open = open;
    this.#close = close;
  }

  /** Room for so many bytes; undefined when there is not so much left. */
  take(bytes: number): Buffer | undefined {
    assert(!this.#isReleased, "nothing is taken of a lease that was released");
    if (bytes > blockBytes - this.#used) return undefined;
    this.#block ??= this.#open();
    const taken = Buffer.from(this.#block, this.#used, bytes);
    this.#used += bytes;
    return taken;
  }

  /** Nobody reads or writes any more what was taken. */
  release(): void {
    assert(!this.#isReleased, "a lease is released once");
    this.#isReleased = true;
    if (this.#block !== undefined) this.#close(this.#block);
    this.#block = undefined;
  }
}
