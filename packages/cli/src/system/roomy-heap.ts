import { setFlagsFromString } from "node:v8";

/** How far the old generation may grow from one full collection to the next, in percent of what was alive. */
const growingPercent = 200;
/** A process that takes more than this of memory leaves it to V8, bytes. */
const residentBytesMax = 512 * 1_048_576;
const checkEveryMs = 1_000;

/**
 * Makes full collections of a small heap rare. V8 counts the bytes of young buffers as growth of the old
 * generation; every gRPC message is such a buffer. Where little else grows it allows for some 10 MB between two
 * full collections, which a server of subscriptions sends in 30 ms: marking its heap over and over takes more time
 * than all else that it does (0.6 µs instead of 0.25 µs for a record). With room for more, the young generation is
 * collected first, for a tenth of the time. Returns how to end it.
 */
export function keepHeapRoomy(tools: HeapTools = ofThisProcess): () => void {
  let isRoomy = false;
  const set = (percent: number) => tools.setFlags(`--heap-growing-percent=${percent}`);
  const check = () => {
    const wanted = tools.residentBytes() < residentBytesMax;
    if (wanted === isRoomy) return;
    isRoomy = wanted;
    set(wanted ? growingPercent : 0);
  };
  check();
  const stopChecking = tools.every(checkEveryMs, check);
  return () => {
    stopChecking();
    if (isRoomy) set(0);
  };
}

export interface HeapTools {
  residentBytes(): number;
  /** Flags of V8, as on the command line. */
  setFlags(flags: string): void;
  /** Calls something again and again, without keeping the process alive for it; returns how to end that. */
  every(ms: number, call: () => void): () => void;
}

const ofThisProcess: HeapTools = {
  residentBytes: () => process.memoryUsage.rss(),
  setFlags: setFlagsFromString,
  every: (ms, call) => {
    const timer = setInterval(call, ms).unref();
    return () => clearInterval(timer);
  },
};
