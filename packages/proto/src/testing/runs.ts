/**
 * For tests: how many times a property is tried. As many as `usual` says, or, in a long run
 * (HSTREAM_TEST_SECONDS), for as long as that says: see scripts/property-settings.mjs.
 */
export function runs(usual: number): number {
  return process.env["HSTREAM_TEST_SECONDS"] === undefined ? usual : 1_000_000_000;
}

/**
 * The same for a property of which a long run (`npm run test:long`) must try a certain number of cases, however long
 * that takes.
 */
export function runsUpTo(usual: number, long: number): { numRuns: number; interruptAfterTimeLimit?: number } {
  return process.env["HSTREAM_TEST_LONG"] === undefined
    ? { numRuns: runs(usual) }
    : { numRuns: long, interruptAfterTimeLimit: 2 ** 31 - 1 };
}
