import assert from "node:assert/strict";
import fc from "fast-check";
import { deflate } from "./deflate.js";
import { compression, loadInflate } from "./inflate.js";
import { runs } from "./testing/runs.js";

describe("deflate", () => {
  it("gives what inflate makes the same bytes of, for every compression", async () => {
    const inflate = await loadInflate(1_000_000);
    const types = fc.constantFrom(...Object.values(compression));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), types, async (bytes, type) => {
        assert.deepEqual(
          Buffer.from(inflate(await deflate(bytes, type), type) as Uint8Array),
          Buffer.from(bytes),
        );
      }),
      { numRuns: runs(100) },
    );
  });

  it("makes what repeats itself smaller", async () => {
    const text = Buffer.from("stream ".repeat(1_000));
    for (const type of [compression.gzip, compression.zstd]) {
      assert.ok((await deflate(text, type)).length < text.length / 10);
    }
  });
});
