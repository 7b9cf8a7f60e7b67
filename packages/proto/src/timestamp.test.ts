import assert from "node:assert/strict";
import fc from "fast-check";
import { timestampFromMs, timestampToMs } from "./timestamp.js";

describe("timestamp", () => {
  it("gives back the milliseconds, with nanoseconds from 0 to under a second", () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -5_000, max: 5_000 })), (ms) => {
        const timestamp = timestampFromMs(ms);
        assert.ok(timestamp.nanos >= 0 && timestamp.nanos < 1_000_000_000);
        assert.equal(timestampToMs(timestamp), ms);
      }),
    );
  });

  it("rounds down", () => {
    assert.equal(timestampToMs({ seconds: 1n, nanos: 999_999 }), 1_000);
    assert.equal(timestampToMs({ seconds: -1n, nanos: 999_999_999 }), -1);
  });
});
