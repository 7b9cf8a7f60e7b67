import { crc32 } from "node:zlib";
import { MetaError, type Revision } from "./meta-store.js";
import type { MetaEvent, MetaState } from "./meta-state.js";

/*
 * The metadata in its shard: one JSON document for each batch, version 1.
 *
 *   {"version":1,"number","afterRefusal","event":{…}}
 *   {"version":1,"snapshot":{"upTo","number","part","parts","checksum"},
 *    "entries":[[key,value,revision],…],"leases":[[name,holder,token,expiresAtMs],…]}
 *
 * An event is a change; its revision is its batch id. Events are numbered one by one, so that a hole
 * in the shard can be told from a lost part of a snapshot; "afterRefusal" says that numbers before were
 * given to changes that the log refused. A snapshot is followed by an event of kind "mark".
 *
 * A snapshot is all parts with the same `upTo`, one after the other: the state after the change `upTo`.
 * Changes that were under way when it was taken may stand between `upTo` and it. The checksum is the
 * CRC-32 of [entries, leases] as JSON, begun with the part's number.
 */
const version = 1;

type EntryRow = readonly [key: string, value: string, revision: Revision];
type LeaseRow = readonly [name: string, holder: string, token: number, expiresAtMs: number];

export interface NumberedEvent {
  readonly number: number;
  readonly afterRefusal: boolean;
  readonly event: MetaEvent;
}

export interface SnapshotPart {
  readonly upTo: Revision;
  /** That of the event `upTo`. */
  readonly number: number;
  readonly part: number;
  readonly parts: number;
  readonly entries: readonly EntryRow[];
  readonly leases: readonly LeaseRow[];
}

export type MetaDocument =
  | { readonly kind: "event"; readonly event: NumberedEvent }
  | { readonly kind: "snapshot"; readonly part: SnapshotPart }
  | { readonly kind: "damaged"; readonly detail: string };

export function encodeEvent(event: NumberedEvent): Uint8Array {
  return Buffer.from(JSON.stringify({ version, ...event }));
}

/** The state as documents of about `partBytes`, at least one. */
export function encodeSnapshot(state: MetaState, number: number, partBytes: number): Uint8Array[] {
  const bodies: { entries: EntryRow[]; leases: LeaseRow[] }[] = [{ entries: [], leases: [] }];
  let room = partBytes;
  const bodyFor = (bytes: number) => {
    if (room < bytes && room < partBytes) {
      bodies.push({ entries: [], leases: [] });
      room = partBytes;
    }
    room -= bytes;
    return bodies.at(-1);
  };
  for (const { key, value, revision } of state.entries.values()) {
    bodyFor(key.length + value.length)?.entries.push([key, value, revision]);
  }
  for (const { name, holder, token, expiresAtMs } of state.leases.values()) {
    bodyFor(name.length + holder.length)?.leases.push([name, holder, token, expiresAtMs]);
  }
  return bodies.map(({ entries, leases }, part) => {
    const checksum = bodyChecksum(entries, leases, part);
    const snapshot = { upTo: state.revision, number, part, parts: bodies.length, checksum };
    return Buffer.from(JSON.stringify({ version, snapshot, entries, leases }));
  });
}

interface Stored {
  readonly version: number;
  readonly number?: number;
  readonly afterRefusal?: boolean;
  readonly event?: MetaEvent;
  readonly snapshot?: {
    readonly upTo: Revision;
    readonly number: number;
    readonly part: number;
    readonly parts: number;
    readonly checksum: number;
  };
  readonly entries?: readonly EntryRow[];
  readonly leases?: readonly LeaseRow[];
}

/** Throws MetaError failed when the document is of a later version: an older server must not guess. */
export function decodeDocument(payload: Uint8Array): MetaDocument {
  let stored: Stored;
  try {
    stored = JSON.parse(Buffer.from(payload).toString()) as Stored;
  } catch {
    return { kind: "damaged", detail: "a document of the metadata is no JSON" };
  }
  if (stored.version !== version) {
    throw new MetaError("failed", `Version ${stored.version} of the metadata is not known to this server.`);
  }
  if (stored.event !== undefined) {
    const { number = 0, afterRefusal = false, event } = stored;
    return { kind: "event", event: { number, afterRefusal, event } };
  }
  const { snapshot, entries, leases } = stored;
  if (snapshot === undefined || entries === undefined || leases === undefined) {
    return { kind: "damaged", detail: "a document of the metadata has no content" };
  }
  if (bodyChecksum(entries, leases, snapshot.part) !== snapshot.checksum) {
    return { kind: "damaged", detail: "the checksum of a snapshot does not match" };
  }
  const { upTo, number, part, parts } = snapshot;
  return { kind: "snapshot", part: { upTo, number, part, parts, entries, leases } };
}

function bodyChecksum(entries: readonly EntryRow[], leases: readonly LeaseRow[], part: number): number {
  return crc32(JSON.stringify([entries, leases]), part);
}
