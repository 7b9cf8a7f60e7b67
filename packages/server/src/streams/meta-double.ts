import type { MetaChange, MetaEntry, MetaStore, SetResult } from "../meta/meta-store.js";
/** TEMPORARY until the meta room lands. */
export function createMetaDouble(): MetaStore {
  const entries = new Map<string, MetaEntry>();
  const watchers = new Set<{ prefix: string; listener: (change: MetaChange) => void }>();
  let revision = 0;
  const change = (key: string, value: string | undefined): number => {
    revision += 1;
    const entry = value === undefined ? undefined : { key, value, revision };
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
    for (const w of watchers) {
      if (key.startsWith(w.prefix))
        w.listener(entry === undefined ? { kind: "deleted", key, revision } : { kind: "put", entry });
    }
    return revision;
  };
  return {
    get: (key) => Promise.resolve(entries.get(key)),
    put: (key, value) => Promise.resolve(change(key, value)),
    compareAndSet: (key, value, expected): Promise<SetResult> => {
      const present = entries.get(key)?.revision ?? 0;
      if (present !== expected) return Promise.resolve({ kind: "conflict", revision: present });
      return Promise.resolve({ kind: "set", revision: change(key, value) });
    },
    range: (prefix) =>
      Promise.resolve(
        [...entries.values()]
          .filter((e) => e.key.startsWith(prefix))
          .sort((a, b) => (a.key < b.key ? -1 : 1)),
      ),
    watch: (prefix, listener) => {
      const w = { prefix, listener };
      watchers.add(w);
      return () => void watchers.delete(w);
    },
    acquire: () => Promise.reject(new Error("unused")),
    renew: () => Promise.reject(new Error("unused")),
    release: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
