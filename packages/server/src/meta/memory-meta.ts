import type { Clock } from "../env/env.js";
import { MetaCore } from "./meta-core.js";
import { type MetaEvent, MetaState } from "./meta-state.js";
import type { Revision } from "./meta-store.js";

/** What a test wants to happen to the next change. */
export type MetaInjection =
  /** The change rejects; nothing happens. */
  | { readonly kind: "error"; readonly error: Error }
  /** The change rejects although it was made: the answer got lost. */
  | { readonly kind: "lost-answer"; readonly error: Error }
  /** The change waits for this before it is made. */
  | { readonly kind: "delay"; readonly until: Promise<void> }
  /** Somebody else makes these changes first. Conflicts and lost leases are made like that. */
  | { readonly kind: "rival"; readonly events: readonly MetaEvent[] };

/** Metadata in memory whose faults and rivals a test can script. */
export class MemoryMeta extends MetaCore {
  readonly #contents: MetaState;
  readonly #script: MetaInjection[] = [];

  /** `contents` survives the store, as a disk does. */
  constructor(clock: Clock, contents = new MetaState()) {
    super(contents, clock);
    this.#contents = contents;
  }

  /** The next changes meet these, one each, in order. */
  inject(...injections: readonly MetaInjection[]): void {
    this.#script.push(...injections);
  }

  /** Makes changes at once, as somebody else would. */
  rival(...events: readonly MetaEvent[]): void {
    for (const event of events) this.#make(event);
  }

  protected async record(event: MetaEvent): Promise<Revision> {
    const injection = this.#script.shift();
    // Being durable takes a while, also here.
    await Promise.resolve();
    switch (injection?.kind) {
      case "error":
        throw injection.error;
      case "lost-answer":
        this.#make(event);
        throw injection.error;
      case "delay":
        await injection.until;
        return this.#make(event);
      case "rival":
        this.rival(...injection.events);
        return this.#make(event);
      case undefined:
        return this.#make(event);
    }
  }

  #make(event: MetaEvent): Revision {
    const revision = this.#contents.revision + 1;
    this.#contents.apply(event, revision);
    return revision;
  }
}
