import type { Revision, SetResult } from "../meta/meta-store.js";
import type { MetaRow, MetaTable } from "../meta/table.js";

interface Cached<T> {
  readonly revision: Revision;
  /** Undefined: deleted by ourselves, and the watch has not said so yet. */
  readonly value: T | undefined;
}

/** Hears of a document that was set, or deleted (`value` is undefined), and what it was before. */
export type DocumentListener<T> = (value: T | undefined, before: T | undefined) => void;

/**
 * A table of the metadata store, held in memory so that hot paths look its documents up without
 * waiting. Changes come from our own writes, as soon as they are durable, and from the watch;
 * revisions decide which is newer.
 */
export class Documents<T> {
  readonly #table: MetaTable<T>;
  readonly #listener: DocumentListener<T> | undefined;
  readonly #cached = new Map<string, Cached<T>>();
  /** The newest revision that the watch has delivered: what we wrote up to it has been seen. */
  #watched: Revision = 0;
  #stop: () => void = () => {};

  private constructor(table: MetaTable<T>, listener: DocumentListener<T> | undefined) {
    this.#table = table;
    this.#listener = listener;
  }

  /** Loads what is there. `listener` hears of every change, and of everything that is loaded. */
  static async load<T>(table: MetaTable<T>, listener?: DocumentListener<T>): Promise<Documents<T>> {
    const documents = new Documents(table, listener);
    documents.#stop = table.watch((change) => {
      if (change.kind === "put") documents.#put(change.row);
      else documents.#forget(change.id, change.revision, true);
      documents.#watched = change.kind === "put" ? change.row.revision : change.revision;
    });
    for (const row of await table.list()) documents.#put(row);
    return documents;
  }

  get(key: string): T | undefined {
    return this.#cached.get(key)?.value;
  }

  revision(key: string): Revision {
    const cached = this.#cached.get(key);
    return cached?.value === undefined ? 0 : cached.revision;
  }

  /** How many there are, or a few more: those that we deleted may count for a moment. */
  get size(): number {
    return this.#cached.size;
  }

  /** In the order of their keys. */
  entries(): [key: string, value: T][] {
    const found: [string, T][] = [];
    for (const [key, cached] of this.#cached) if (cached.value !== undefined) found.push([key, cached.value]);
    return found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Creates, changes (with the revision that is changed) or, with `undefined`, deletes a document. */
  async set(key: string, value: T | undefined, expected: Revision): Promise<SetResult> {
    const result = await this.#table.compareAndSet(key, value, expected);
    if (result.kind === "set" && result.revision > this.#watched) {
      if (value === undefined) this.#forget(key, result.revision, false);
      else this.#remember(key, { revision: result.revision, value });
    }
    return result;
  }

  close(): void {
    this.#stop();
  }

  #put({ id, revision, document }: MetaRow<T>): void {
    const cached = this.#cached.get(id);
    if (cached === undefined || cached.revision < revision) this.#remember(id, { revision, value: document });
  }

  #remember(key: string, cached: Cached<T>): void {
    const before = this.#cached.get(key)?.value;
    this.#cached.set(key, cached);
    this.#listener?.(cached.value, before);
  }

  #forget(key: string, revision: Revision, watched: boolean): void {
    const cached = this.#cached.get(key);
    if (cached !== undefined && cached.revision > revision) return;
    if (watched) this.#cached.delete(key);
    else this.#cached.set(key, { revision, value: undefined });
    if (cached?.value !== undefined) this.#listener?.(undefined, cached.value);
  }
}
