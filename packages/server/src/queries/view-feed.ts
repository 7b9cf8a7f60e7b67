import { must } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { Barrier } from "./barrier.js";

export type FeedItem =
  /** All rows of the view; what was given before is void. */
  | { readonly kind: "rows"; readonly batches: readonly Uint8Array[] }
  /** Rows that came and went since. */
  | { readonly kind: "changes"; readonly batches: readonly Uint8Array[] }
  /** The view is at the barrier. */
  | { readonly kind: "barrier"; readonly barrier: Barrier };

/**
 * Who reads a view's changes. It outlives the view's runs: a view that starts again gives its rows anew, and
 * the readers take the difference to what they know.
 */
export class ViewFeed {
  readonly #followers = new Set<ViewFollower>();

  /** `wake` is called when there is something to take. */
  follow(wake: () => void): ViewFollower {
    const follower: ViewFollower = new ViewFollower(wake, () => this.#followers.delete(follower));
    this.#followers.add(follower);
    this.onFollow();
    return follower;
  }

  /** Called when somebody wants rows. */
  onFollow: () => void = () => {};

  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  /** Those that need all rows before changes. */
  waiting(): ViewFollower[] {
    return [...this.#followers].filter((follower) => !follower.isInStep);
  }

  /** A new run: nobody has its rows. */
  restart(): void {
    for (const follower of this.#followers) follower.restart();
  }

  publish(item: Exclude<FeedItem, { kind: "rows" }>): void {
    for (const follower of this.#followers) if (follower.isInStep) follower.push(item);
  }
}

/** One reader's queue. One that does not keep up loses what waits, and gets all rows again. */
export class ViewFollower {
  readonly #wake: () => void;
  readonly close: () => void;
  #items: FeedItem[] = [];
  #bytes = 0;
  #isInStep = false;

  /** Use ViewFeed.follow. */
  constructor(wake: () => void, close: () => void) {
    this.#wake = wake;
    this.close = close;
  }

  get isInStep(): boolean {
    return this.#isInStep;
  }

  restart(): void {
    this.#isInStep = false;
  }

  push(item: FeedItem): void {
    if (item.kind === "rows") this.#isInStep = true;
    this.#items.push(item);
    this.#bytes += sizeOf(item);
    if (item.kind === "changes" && this.#bytes > limits.viewChangesBytesMax) this.#overflow();
    this.#wake();
  }

  peek(): FeedItem | undefined {
    return this.#items[0];
  }

  take(): FeedItem {
    const item = must(this.#items.shift(), "something was there to take");
    this.#bytes -= sizeOf(item);
    return item;
  }

  #overflow(): void {
    for (const item of this.#items) {
      if (item.kind !== "barrier") continue;
      item.barrier.cancel(
        new HStreamError("ReadTimedOut", { detail: "a query over the view is far behind it" }),
      );
    }
    this.#items = [];
    this.#bytes = 0;
    this.#isInStep = false;
  }
}

function sizeOf(item: FeedItem): number {
  if (item.kind === "barrier") return 0;
  let bytes = 0;
  for (const batch of item.batches) bytes += batch.length;
  return bytes;
}
