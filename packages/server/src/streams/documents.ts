import type { MetaEntry, MetaStore, Revision, SetResult } from "../meta/meta-store.js";

interface Cached<T> {
  readonly revision: Revision;
  /** Undefined: deleted by ourselves, and the watch has not said so yet. */
  readonly value: T | undefined;
}

/**
 * The documents under one prefix of the metadata store, held in memory so that hot paths look them
 * up without waiting. Changes come from our own writes, as soon as they are durable, and from the
 * watch; revisions decide which is newer.
 */
export class Documents<T> {
  readonly #meta: MetaStore;
  readonly #prefix: string;
  readonly #parse: (text: string) => T;
  readonly #listener: ((key: string, value: T | undefined, before: T | undefined) => void) | undefined;
  readonly #cached = new Map<string, Cached<T>>();
  /** The newest revision that the watch has delivered: what we wrote up to it has been seen. */
  #watched: Revision = 0;
  #stop: () => void = () => {};

  private constructor(
    meta: MetaStore,
    prefix: string,
    parse: (text: string) => T,
    listener?: (key: string, value: T | undefined, before: T | undefined) => void,
  ) {
    this.#meta = meta;
    this.#prefix = prefix;
    this.#parse = parse;
    this.#listener = listener;
  }

  /**
   * Loads what is there. `parse` reads one document; `listener` hears of every change, and of
   * everything that is loaded.
   */
  static async load<T>(
    meta: MetaStore,
    prefix: string,
    parse: (text: string) => T,
    listener?: (key: string, value: T | undefined, before: T | undefined) => void,
  ): Promise<Documents<T>> {
    const documents = new Documents(meta, prefix, parse, listener);
    documents.#stop = meta.watch(prefix, (change) => {
      if (change.kind === "put") documents.#put(change.entry);
      else documents.#forget(change.key.slice(prefix.length), change.revision, true);
      documents.#watched = change.kind === "put" ? change.entry.revision : change.revision;
    });
    for (const entry of await meta.range(prefix)) documents.#put(entry);
    return documents;
  }

  get(key: string): T | undefined {
    return this.#cached.get(key)?.value;
  }

  revision(key: string): Revision {
    const cached = this.#cached.get(key);
    return cached?.value === undefined ? 0 : cached.revision;
  }

  /** In the order of their keys. */
  entries(): [key: string, value: T][] {
    const found: [string, T][] = [];
    for (const [key, cached] of this.#cached) if (cached.value !== undefined) found.push([key, cached.value]);
    return found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Creates, changes (with the revision that is changed) or, with `undefined`, deletes a document. */
  async set(key: string, value: T | undefined, expected: Revision): Promise<SetResult> {
    const text = value === undefined ? undefined : JSON.stringify(value);
    const result = await this.#meta.compareAndSet(this.#prefix + key, text, expected);
    if (result.kind === "set" && result.revision > this.#watched) {
      if (value === undefined) this.#forget(key, result.revision, false);
      else this.#remember(key, { revision: result.revision, value });
    }
    return result;
  }

  close(): void {
    this.#stop();
  }

  #put(entry: MetaEntry): void {
    const key = entry.key.slice(this.#prefix.length);
    const cached = this.#cached.get(key);
    if (cached !== undefined && cached.revision >= entry.revision) return;
    this.#remember(key, { revision: entry.revision, value: this.#parse(entry.value) });
  }

  #remember(key: string, cached: Cached<T>): void {
    const before = this.#cached.get(key)?.value;
    this.#cached.set(key, cached);
    this.#listener?.(key, cached.value, before);
  }

  #forget(key: string, revision: Revision, watched: boolean): void {
    const cached = this.#cached.get(key);
    if (cached !== undefined && cached.revision > revision) return;
    if (watched) this.#cached.delete(key);
    else this.#cached.set(key, { revision, value: undefined });
    if (cached?.value !== undefined) this.#listener?.(key, undefined, cached.value);
  }
}
