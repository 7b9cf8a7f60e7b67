import type { AppendOptions, AppendResult, Batch, ShardId } from "./log-store.js";

/** An append for which there was no room when it came. */
export interface WaitingAppend {
  readonly shardId: ShardId;
  readonly batch: Batch;
  readonly options: AppendOptions;
  readonly bytes: number;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
}

/** First come, first served. */
export class WaitingAppends {
  #appends: WaitingAppend[] = [];
  #head = 0;
  bytes = 0;

  get count(): number {
    return this.#appends.length - this.#head;
  }

  get first(): WaitingAppend | undefined {
    return this.#appends[this.#head];
  }

  push(append: WaitingAppend): void {
    this.#appends.push(append);
    this.bytes += append.bytes;
  }

  shift(): void {
    this.bytes -= this.first?.bytes ?? 0;
    this.#head++;
    // Moving the rest costs less than one step for each that was taken.
    if (this.#head * 2 > this.#appends.length) {
      this.#appends = this.#appends.slice(this.#head);
      this.#head = 0;
    }
  }

  takeAll(): WaitingAppend[] {
    const all = this.#appends.slice(this.#head);
    this.#appends = [];
    this.#head = 0;
    this.bytes = 0;
    return all;
  }
}
