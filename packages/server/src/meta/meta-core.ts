import type { Clock } from "../env/env.js";
import { limits } from "../limits.js";
import { KeyQueue } from "./key-queue.js";
import type { MetaEvent, MetaState } from "./meta-state.js";
import {
  type Lease,
  type LeaseResult,
  type MetaChange,
  type MetaEntry,
  MetaError,
  type MetaStore,
  type RenewResult,
  type Revision,
  type SetResult,
} from "./meta-store.js";

/**
 * The rules of a metadata store over a state and a way to make an event durable. Changes of one key (or
 * lease) are judged and made one after the other; those of different keys share a commit.
 */
export abstract class MetaCore implements MetaStore {
  protected readonly state: MetaState;
  readonly #clock: Clock;
  readonly #queue = new KeyQueue();
  #closed = false;

  protected constructor(state: MetaState, clock: Clock) {
    this.state = state;
    this.#clock = clock;
  }

  /** Makes the event durable and applies it to the state; its revision. */
  protected abstract record(event: MetaEvent): Promise<Revision>;

  async get(key: string): Promise<MetaEntry | undefined> {
    this.#mustBeOpen();
    return this.state.entries.get(key);
  }

  put(key: string, value: string): Promise<Revision> {
    return this.#change(`key ${key}`, async () => {
      mustFit(key, value);
      return this.record({ kind: "put", key, value });
    });
  }

  compareAndSet(key: string, value: string | undefined, expected: Revision): Promise<SetResult> {
    return this.#change(`key ${key}`, async () => {
      mustFit(key, value ?? "");
      const conflict = this.state.conflict(key, expected);
      if (conflict !== undefined) return conflict;
      // What is absent stays absent: nothing changes, and the present revision is that of "absent".
      if (value === undefined && expected === 0) return { kind: "set", revision: 0 };
      const revision = await this.record(
        value === undefined ? { kind: "delete", key } : { kind: "put", key, value },
      );
      return { kind: "set", revision };
    });
  }

  async range(prefix: string): Promise<MetaEntry[]> {
    this.#mustBeOpen();
    return this.state.range(prefix);
  }

  watch(prefix: string, listener: (change: MetaChange) => void): () => void {
    this.#mustBeOpen();
    return this.state.watch(prefix, listener);
  }

  acquire(name: string, holder: string, ttlMs: number): Promise<LeaseResult> {
    return this.#change(`lease ${name}`, async () => {
      mustFit(name, holder);
      const held = this.state.heldLease(name, this.#clock.now());
      if (held !== undefined && held.holder !== holder) return { kind: "held", by: held };
      const expiresAtMs = this.#clock.now() + ttlMs;
      const token = await this.record({ kind: "lease", name, holder, expiresAtMs });
      return { kind: "granted", lease: { name, holder, token, expiresAtMs } };
    });
  }

  renew(lease: Lease, ttlMs: number): Promise<RenewResult> {
    const { name } = lease;
    return this.#change(`lease ${name}`, async () => {
      const held = this.state.heldLease(name, this.#clock.now());
      if (held === undefined) return { kind: "lost" };
      if (held.token !== lease.token) return { kind: "lost", to: held };
      const expiresAtMs = this.#clock.now() + ttlMs;
      await this.record({ kind: "renew", name, expiresAtMs });
      return { kind: "granted", lease: { ...held, expiresAtMs } };
    });
  }

  release(lease: Lease): Promise<void> {
    const { name, token } = lease;
    return this.#change(`lease ${name}`, async () => {
      if (this.state.leases.get(name)?.token === token) await this.record({ kind: "release", name });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue.idle();
  }

  #change<T>(key: string, work: () => Promise<T>): Promise<T> {
    // A change that was asked for before the close is still made.
    if (this.#closed) return Promise.reject(closedError());
    return this.#queue.run(key, work);
  }

  #mustBeOpen(): void {
    if (this.#closed) throw closedError();
  }
}

const closedError = () => new MetaError("closed", "The metadata store is closed.");

function mustFit(key: string, value: string): void {
  const bytes = Buffer.byteLength(key) + Buffer.byteLength(value);
  if (bytes <= limits.metaValueBytesMax) return;
  const max = limits.metaValueBytesMax;
  throw new MetaError("too-large", `${bytes} bytes for one document exceed metaValueBytesMax (${max}).`);
}
