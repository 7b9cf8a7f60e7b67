import { runs } from "@hstream/proto/testing";
import fc from "fast-check";
import { runHistory } from "./crash-history.js";

describe("the embedded log over crashes", () => {
  it("reads every acknowledged batch in order and once, and nothing that was not sent", async function () {
    this.timeout(Math.max(this.timeout(), 60_000));
    const numRuns = runs(200);
    await fc.assert(fc.asyncProperty(fc.integer(), runHistory), { numRuns, endOnFailure: true });
  });
});
