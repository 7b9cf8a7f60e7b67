import type { PhysicalPlan } from "@hstream/sql";
import type { StepInput } from "../executor/step-input.js";
import type { Barrier } from "./barrier.js";
import type { ViewFeed, ViewFollower } from "./view-feed.js";
import type { Wake } from "./wake.js";

/** A view that a query reads. */
export interface FollowedView {
  readonly name: string;
  readonly feed: ViewFeed;
  /** Resolves once it has given all that is before the barrier to those who follow it. */
  reach(barrier: Barrier): Promise<void>;
}

/** A view among the sources. */
export interface ViewInput {
  readonly view: FollowedView;
  readonly follower: ViewFollower;
  readonly sources: readonly number[];
}

/** What a running query is given by the views that it reads: all rows once, then changes, with barriers between them. */
export class ViewInputs {
  readonly #wake: Wake;
  readonly all: readonly ViewInput[];

  /** Begins to follow them. `views`: by their ids. */
  constructor(plan: PhysicalPlan, views: ReadonlyMap<string, FollowedView>, wake: Wake) {
    this.#wake = wake;
    this.all = [...views].map(([id, view]) => {
      const sources = plan.sources.flatMap((source, index) => (source.id === id ? [index] : []));
      return { view, follower: view.feed.follow(wake.set), sources };
    });
  }

  /**
   * Changes of a view that does not wait at a barrier. `reached`: told that a view has come to a barrier; whether
   * it shall wait there.
   */
  next(reached: (input: ViewInput, barrier: Barrier) => boolean): StepInput[] | undefined {
    for (const input of this.all) {
      for (let item = input.follower.peek(); item !== undefined; item = input.follower.peek()) {
        if (item.kind !== "barrier") {
          input.follower.take();
          return rowInputs(input, item.batches, item.kind === "rows");
        }
        if (reached(input, item.barrier)) break;
        input.follower.take();
      }
    }
    return undefined;
  }

  /** Asks all views to come to a barrier. A view that cannot cancels it. */
  ask(barrier: Barrier, failed: () => void = () => {}): void {
    for (const { view } of this.all) {
      view.reach(barrier).catch((error: unknown) => {
        barrier.cancel(error as Error);
        failed();
      });
    }
  }

  /**
   * The changes of all views up to a barrier for which they were asked. A view that does not run is waited for; not
   * `complete` when `givesUp` says that there is something else to do meanwhile. `passes`: nobody else waits for
   * the barrier.
   */
  async upTo(
    barrier: Barrier,
    passes: boolean,
    givesUp: () => boolean,
    signal: AbortSignal,
  ): Promise<{ readonly inputs: StepInput[]; readonly complete: boolean }> {
    const inputs: StepInput[] = [];
    for (const input of this.all) {
      for (;;) {
        const item = input.follower.peek();
        if (item === undefined) {
          if (givesUp() || barrier.cancelled !== undefined) return { inputs, complete: false };
          await this.#wake.wait(signal);
          continue;
        }
        if (item.kind === "barrier" && item.barrier === barrier) {
          if (passes) input.follower.take();
          break;
        }
        input.follower.take();
        if (item.kind !== "barrier") inputs.push(...rowInputs(input, item.batches, item.kind === "rows"));
      }
    }
    return { inputs, complete: true };
  }

  close(): void {
    for (const { follower } of this.all) follower.close();
  }
}

function rowInputs({ sources }: ViewInput, batches: readonly Uint8Array[], replace: boolean): StepInput[] {
  return sources.map((source) => ({ kind: "rows", source, batches, replace }));
}
