import { limits } from "../limits.js";
import type { Barrier } from "./barrier.js";

interface Task {
  readonly run: () => Promise<void>;
  readonly fail: (error: Error) => void;
}

/** Somebody waits for a query to be at a barrier. */
export interface Waiting<View> {
  readonly barrier: Barrier;
  /** Views that are not there yet. */
  readonly views: Set<View>;
  readonly tasks: Task[];
}

/**
 * Those who wait for a running query to be at a barrier, in the order of their moments.
 *
 * State: who waits, and what was begun for those who waited.
 */
export class BarrierQueue<View> {
  readonly #waiting: Waiting<View>[] = [];
  /** Snapshots that are under way. */
  readonly #asked = new Set<Promise<void>>();

  get first(): Waiting<View> | undefined {
    return this.#waiting[0];
  }

  find(barrier: Barrier): Waiting<View> | undefined {
    return this.#waiting.find((one) => one.barrier === barrier);
  }

  /** `run`'s answer at the barrier; `begin` is called for the first who waits for it. */
  async at<T>(barrier: Barrier, run: () => Promise<T>, begin: () => Iterable<View>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const task = { run: () => run().then(resolve, reject), fail: reject };
      const known = this.find(barrier);
      if (known !== undefined) {
        known.tasks.push(task);
        return;
      }
      const waiting = { barrier, views: new Set<View>(), tasks: [task] };
      this.#waiting.push(waiting);
      for (const view of begin()) waiting.views.add(view);
    });
  }

  /** The first one is done. */
  shift(): void {
    this.#waiting.shift();
  }

  /** Whoever waits is told `reason`. */
  close(reason: Error): void {
    for (const { tasks } of this.#waiting.splice(0)) for (const { fail } of tasks) fail(reason);
  }

  /** Snapshots are asked of the execution before anything else is fed; many of them wait for those before. */
  async runTasks({ tasks }: Waiting<View>): Promise<void> {
    for (const { run } of tasks) {
      while (this.#asked.size >= limits.snapshotCallsMax) await Promise.race(this.#asked);
      const task = run();
      this.#asked.add(task);
      void task.finally(() => this.#asked.delete(task));
    }
  }
}
