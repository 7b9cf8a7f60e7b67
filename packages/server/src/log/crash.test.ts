import fc from "fast-check";
import { runHistory } from "./crash-history.js";

describe("the embedded log over crashes", () => {
  it("reads every acknowledged batch in order and once, and nothing that was not sent", async function () {
    if (fc.readConfigureGlobal().numRuns === undefined) this.timeout(60_000);
    const numRuns = fc.readConfigureGlobal().numRuns ?? 200;
    await fc.assert(fc.asyncProperty(fc.integer(), runHistory), { numRuns, endOnFailure: true });
  });
});
