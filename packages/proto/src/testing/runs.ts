/**
 * For tests: how many times a property is tried. As many as `usual` says, or, in a long run
 * (HSTREAM_TEST_SECONDS), for as long as that says: see scripts/property-settings.mjs.
 */
export function runs(usual: number): number {
  return process.env["HSTREAM_TEST_SECONDS"] === undefined ? usual : 1_000_000_000;
}
