import type { LogStore, ShardId } from "../log/log-store.js";
import { decodeDocument, type NumberedEvent, type SnapshotPart } from "./meta-frame.js";
import { MetaState } from "./meta-state.js";
import { MetaError, type Revision } from "./meta-store.js";

export interface Replayed {
  readonly state: MetaState;
  /** Size of the changes since the snapshot. */
  readonly bytes: number;
  readonly snapshotUpTo: Revision;
  /** Of the newest event. */
  readonly number: number;
}

interface StoredEvent extends NumberedEvent {
  readonly revision: Revision;
  readonly bytes: number;
}

const readLimits = { batchesMax: 1_000, bytesMax: 8 * 1_048_576 };

/**
 * What the shard adds up to: the newest complete snapshot, and the changes after it. Rejects with
 * MetaError failed when one of those cannot be read.
 */
export async function replay(log: LogStore, shardId: ShardId): Promise<Replayed> {
  const { events, snapshot, lost } = await readDocuments(log, shardId);
  const state = new MetaState();
  for (const { entries, leases } of snapshot) {
    for (const [key, value, revision] of entries) state.restoreEntry({ key, value, revision });
    for (const [name, holder, token, expiresAtMs] of leases) {
      state.leases.set(name, { name, holder, token, expiresAtMs });
    }
  }
  const snapshotUpTo = snapshot[0]?.upTo ?? 0;
  state.revision = snapshotUpTo;
  let number = snapshot[0]?.number ?? 0;
  let bytes = 0;
  let lastRevision = 0;
  let complete = log.describe(shardId).trimmedUpTo <= snapshotUpTo;
  for (const { event, revision, bytes: size, number: next, afterRefusal } of events) {
    lastRevision = revision;
    if (revision <= snapshotUpTo) continue;
    complete &&= next === number + 1 || afterRefusal;
    number = next;
    state.apply(event, revision);
    bytes += size;
  }
  // Without a damage every hole in the numbers is that of a refused change.
  const mayLack = lost !== undefined && (!complete || lost.upTo > lastRevision);
  if (mayLack && lost.upTo > snapshotUpTo) {
    throw new MetaError("failed", `A part of the metadata cannot be read: ${lost.detail}.`);
  }
  return { state, bytes, snapshotUpTo, number };
}

interface Documents {
  readonly events: readonly StoredEvent[];
  /** The parts of the newest complete snapshot; none when there is none. */
  readonly snapshot: readonly SnapshotPart[];
  /** The last damage. */
  readonly lost: { readonly upTo: Revision; readonly detail: string } | undefined;
}

async function readDocuments(log: LogStore, shardId: ShardId): Promise<Documents> {
  const events: StoredEvent[] = [];
  let snapshot: SnapshotPart[] = [];
  let candidate: SnapshotPart[] = [];
  let lost: Documents["lost"];
  for (let from = 0; ; ) {
    const { batches, next, gap } = await log.read(shardId, from, readLimits);
    if (gap?.kind === "corrupt") lost = gap;
    for (const { batchId, payload } of batches) {
      const document = decodeDocument(payload);
      switch (document.kind) {
        case "event":
          events.push({ ...document.event, revision: batchId, bytes: payload.byteLength });
          break;
        case "snapshot": {
          const { part } = document;
          if (part.part === 0) candidate = [];
          // Parts of an unfinished snapshot may stand before those of another.
          const next = part.part === candidate.length && (candidate[0] ?? part).upTo === part.upTo;
          if (next) candidate.push(part);
          if (next && candidate.length === part.parts) snapshot = candidate;
          break;
        }
        case "damaged":
          lost = { upTo: batchId, detail: document.detail };
      }
    }
    if (next === from) return { events, snapshot, lost };
    from = next;
  }
}
