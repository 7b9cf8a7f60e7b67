import { encodeEvent, encodeSnapshot } from "./meta-frame.js";
import { type MetaEvent, MetaState } from "./meta-state.js";

/** Every kind of document, as the golden file has them; it changes only together with their version. */
export function goldenDocuments(): Uint8Array[] {
  const events: MetaEvent[] = [
    { kind: "put", key: "stream/é", value: '{"shards":[2,3]}' },
    { kind: "delete", key: "stream/old" },
    { kind: "lease", name: "leader", holder: "node 1", expiresAtMs: 1_700_000_001_000 },
    { kind: "renew", name: "leader", expiresAtMs: 1_700_000_002_000 },
    { kind: "release", name: "leader" },
    { kind: "mark" },
  ];
  const state = new MetaState();
  for (const [i, key] of ["a", "b", "c"].entries()) {
    state.apply({ kind: "put", key, value: `value ${i}` }, 1_000_004_294_967_296 + i);
  }
  const lease = { kind: "lease", name: "leader", holder: "node 1", expiresAtMs: 1_700_000_001_000 } as const;
  state.apply(lease, 1_000_004_294_967_300);
  return [
    ...events.map((event, i) => encodeEvent({ number: i + 1, afterRefusal: i === 2, event })),
    ...encodeSnapshot(state, 7, 16),
  ];
}
