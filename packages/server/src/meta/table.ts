import type { MetaEntry, MetaStore, Revision, SetResult } from "./meta-store.js";

/** How documents of one kind are stored. */
export interface MetaCodec<T> {
  /** The document of a stored JSON value. Throws when it is none. */
  parse(json: unknown): T;
  /** The JSON value to store; the document itself when left out. */
  format?(document: T): unknown;
}

export interface MetaRow<T> {
  readonly id: string;
  readonly document: T;
  readonly revision: Revision;
}

export type MetaRowChange<T> =
  | { readonly kind: "put"; readonly row: MetaRow<T> }
  | { readonly kind: "deleted"; readonly id: string; readonly revision: Revision };

/** Documents of one kind under a prefix of keys of their own, such as "streams/". */
export class MetaTable<T> {
  readonly #store: MetaStore;
  readonly #prefix: string;
  readonly #codec: MetaCodec<T>;

  constructor(store: MetaStore, prefix: string, codec: MetaCodec<T>) {
    this.#store = store;
    this.#prefix = prefix;
    this.#codec = codec;
  }

  async get(id: string): Promise<MetaRow<T> | undefined> {
    const entry = await this.#store.get(this.#prefix + id);
    return entry === undefined ? undefined : this.#row(entry);
  }

  put(id: string, document: T): Promise<Revision> {
    return this.#store.put(this.#prefix + id, this.#format(document));
  }

  /** Sets, or with `undefined` deletes, if the row's revision is `expected` (0: absent). */
  compareAndSet(id: string, document: T | undefined, expected: Revision): Promise<SetResult> {
    const value = document === undefined ? undefined : this.#format(document);
    return this.#store.compareAndSet(this.#prefix + id, value, expected);
  }

  /** All rows whose id starts with `idPrefix`, by id. */
  async list(idPrefix = ""): Promise<MetaRow<T>[]> {
    const entries = await this.#store.range(this.#prefix + idPrefix);
    return entries.map((entry) => this.#row(entry));
  }

  /** Every later change, in order, once. Returns the stop. */
  watch(listener: (change: MetaRowChange<T>) => void): () => void {
    return this.#store.watch(this.#prefix, (change) => {
      if (change.kind === "put") {
        listener({ kind: "put", row: this.#row(change.entry) });
      } else {
        listener({ kind: "deleted", id: this.#id(change.key), revision: change.revision });
      }
    });
  }

  #format(document: T): string {
    return JSON.stringify(this.#codec.format === undefined ? document : this.#codec.format(document));
  }

  #row({ key, value, revision }: MetaEntry): MetaRow<T> {
    return { id: this.#id(key), document: this.#codec.parse(JSON.parse(value)), revision };
  }

  #id(key: string): string {
    return key.slice(this.#prefix.length);
  }
}
