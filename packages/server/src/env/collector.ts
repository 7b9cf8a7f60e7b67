import { setFlagsFromString } from "node:v8";

/**
 * Lets the heap grow to four times what is alive before the next full collection, for the whole process. V8 does so, too,
 * as long as little time goes into collections; but buffers outside of the heap count for its growth, so a
 * server with a heap of 16 MB that takes in 100 MB of messages a second collects all of it ten times a second,
 * and the more time that takes, the sooner is the next.
 */
export function relaxCollector(): void {
  setFlagsFromString("--heap-growing-percent=300");
}
