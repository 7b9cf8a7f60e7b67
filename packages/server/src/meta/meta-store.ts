/**
 * The metadata: small documents under keys. Atomic for one key only; a change over several keys is
 * one document, or a resumable sequence with a test at every crash point.
 */

/** Rises with every change of any key of the store; 0 stands for "absent". */
export type Revision = number;

export interface MetaEntry {
  readonly key: string;
  /** UTF-8 text, JSON by convention, ≤ metaValueBytesMax. */
  readonly value: string;
  readonly revision: Revision;
}

export type SetResult =
  | { readonly kind: "set"; readonly revision: Revision }
  /** Somebody else was first; `revision` is the present one. Nothing changed. */
  | { readonly kind: "conflict"; readonly revision: Revision };

export type MetaChange =
  | { readonly kind: "put"; readonly entry: MetaEntry }
  | { readonly kind: "deleted"; readonly key: string; readonly revision: Revision };

/** The right to something for a time. The token only rises, so that a late holder can be told. */
export interface Lease {
  readonly name: string;
  readonly holder: string;
  readonly token: number;
  /** When it ends, in ms since 1970, unless renewed. */
  readonly expiresAtMs: number;
}

export type LeaseResult =
  | { readonly kind: "granted"; readonly lease: Lease }
  | { readonly kind: "held"; readonly by: Lease };

export type RenewResult =
  | { readonly kind: "granted"; readonly lease: Lease }
  | { readonly kind: "lost"; readonly to?: Lease };

export type MetaErrorKind = "closed" | "full" | "too-large" | "failed";

/**
 * A change could not be carried out. `full`: no room on the disk, try later; `too-large`: the document
 * exceeds metaValueBytesMax; `failed`: whether it happened is not known, restart to find out.
 */
export class MetaError extends Error {
  override readonly name = "MetaError";
  readonly kind: MetaErrorKind;

  constructor(kind: MetaErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export interface MetaStore {
  get(key: string): Promise<MetaEntry | undefined>;
  /** Durable when it resolves, as every change here. */
  put(key: string, value: string): Promise<Revision>;
  /** Sets, or with `undefined` deletes, if the key's revision is `expected` (0: absent). */
  compareAndSet(key: string, value: string | undefined, expected: Revision): Promise<SetResult>;
  /** The entries whose key starts with `prefix`, by key in code unit order. */
  range(prefix: string): Promise<MetaEntry[]>;
  /** Every later change of keys with `prefix`, in order, once. Returns the stop. */
  watch(prefix: string, listener: (change: MetaChange) => void): () => void;

  /** Takes the lease if nobody holds it (or its time is over). The holder itself gets a new token. */
  acquire(name: string, holder: string, ttlMs: number): Promise<LeaseResult>;
  renew(lease: Lease, ttlMs: number): Promise<RenewResult>;
  release(lease: Lease): Promise<void>;

  close(): Promise<void>;
}
