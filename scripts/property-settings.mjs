/**
 * How long and with which seed the random tests run; loaded by mocha before the tests. A property that
 * fails prints its seed and path; HSTREAM_TEST_SEED runs all of them with that seed.
 */
import fc from "fast-check";

const seed = process.env.HSTREAM_TEST_SEED;
const seconds = process.env.HSTREAM_TEST_SECONDS;

fc.configureGlobal({
  ...(seed === undefined ? {} : { seed: Number(seed) }),
  ...(seconds === undefined
    ? {}
    : {
        numRuns: 1_000_000_000,
        interruptAfterTimeLimit: Number(seconds) * 1000,
        markInterruptAsFailure: false,
      }),
});

export const mochaHooks = {
  beforeEach() {
    // A test may hold several properties.
    if (seconds === undefined) return;
    // Some properties of a long run try a number of cases, however long it takes.
    const longest = process.env.HSTREAM_TEST_LONG === undefined ? 0 : 3_600_000;
    this.currentTest.timeout(Math.max(longest, Number(seconds) * 10_000 + 60_000));
  },
};
