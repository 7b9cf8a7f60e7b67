import { unreachable } from "@hstream/proto";
import type { Lease, MetaChange, MetaEntry, Revision, SetResult } from "./meta-store.js";

/** What a store adds up. The revision is that of the change itself; a new lease takes it as its token. */
export type MetaEvent =
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "lease"; readonly name: string; readonly holder: string; readonly expiresAtMs: number }
  | { readonly kind: "renew"; readonly name: string; readonly expiresAtMs: number }
  | { readonly kind: "release"; readonly name: string }
  /** Changes nothing. */
  | { readonly kind: "mark" };

interface Watcher {
  readonly prefix: string;
  readonly listener: (change: MetaChange) => void;
}

/** Entries and leases in memory; no effects, no clock. */
export class MetaState {
  /** The newest change that is in here. */
  revision: Revision = 0;
  readonly entries = new Map<string, MetaEntry>();
  readonly leases = new Map<string, Lease>();
  /** Rough size of a snapshot of all this. */
  sizeBytes = 0;
  readonly #watchers = new Set<Watcher>();
  /** All keys in order; undefined after a key came or went. */
  #sorted: string[] | undefined;

  apply(event: MetaEvent, revision: Revision): void {
    this.revision = revision;
    switch (event.kind) {
      case "put": {
        const entry = { key: event.key, value: event.value, revision };
        this.restoreEntry(entry);
        this.#tell(event.key, { kind: "put", entry });
        return;
      }
      case "delete": {
        const old = this.entries.get(event.key);
        if (old !== undefined) this.sizeBytes -= weight(old);
        this.entries.delete(event.key);
        this.#sorted = undefined;
        this.#tell(event.key, { kind: "deleted", key: event.key, revision });
        return;
      }
      case "lease": {
        const { name, holder, expiresAtMs } = event;
        this.leases.set(name, { name, holder, token: revision, expiresAtMs });
        return;
      }
      case "renew": {
        const lease = this.leases.get(event.name);
        if (lease !== undefined) this.leases.set(event.name, { ...lease, expiresAtMs: event.expiresAtMs });
        return;
      }
      case "release":
        this.leases.delete(event.name);
        return;
      case "mark":
        return;
      default:
        unreachable(event);
    }
  }

  restoreEntry(entry: MetaEntry): void {
    const old = this.entries.get(entry.key);
    if (old === undefined) this.#sorted = undefined;
    else this.sizeBytes -= weight(old);
    this.entries.set(entry.key, entry);
    this.sizeBytes += weight(entry);
  }

  /** The conflict that keeps a change with this expectation from being made. */
  conflict(key: string, expected: Revision): SetResult | undefined {
    const revision = this.entries.get(key)?.revision ?? 0;
    return revision === expected ? undefined : { kind: "conflict", revision };
  }

  /** The lease, unless its time is over. */
  heldLease(name: string, nowMs: number): Lease | undefined {
    const lease = this.leases.get(name);
    return lease !== undefined && lease.expiresAtMs > nowMs ? lease : undefined;
  }

  range(prefix: string): MetaEntry[] {
    this.#sorted ??= [...this.entries.keys()].sort();
    const found: MetaEntry[] = [];
    for (let at = firstAtLeast(this.#sorted, prefix); at < this.#sorted.length; at++) {
      const entry = this.entries.get(this.#sorted[at] ?? "");
      if (entry === undefined || !entry.key.startsWith(prefix)) break;
      found.push(entry);
    }
    return found;
  }

  watch(prefix: string, listener: (change: MetaChange) => void): () => void {
    const watcher = { prefix, listener };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  #tell(key: string, change: MetaChange): void {
    for (const { prefix, listener } of [...this.#watchers]) {
      if (!key.startsWith(prefix)) continue;
      try {
        listener(change);
      } catch (error) {
        // A listener's mistake is its own: it must not stop the changes.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

const weight = (entry: MetaEntry) => entry.key.length + entry.value.length + 32;

function firstAtLeast(sorted: readonly string[], least: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
