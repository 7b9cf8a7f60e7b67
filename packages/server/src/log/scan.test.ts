import assert from "node:assert/strict";
import fc from "fast-check";
import { batchFrameBytes, encodeBatch, encodeControl, frameBuffer, frameHeaderBytes } from "./frame.js";
import { type Scan, scanFrames, scanPieces } from "./scan.js";
import { segmentHeaderBytes } from "./segment.js";

/** A segment of batches with such payloads, sealed or not. */
function segmentOf(payloads: readonly Uint8Array[], isSealed: boolean): Buffer {
  const lengths = payloads.map((payload) => batchFrameBytes(payload.byteLength, undefined));
  const end = lengths.reduce((sum, length) => sum + length, segmentHeaderBytes);
  const buffer = frameBuffer(end + (isSealed ? frameHeaderBytes : 0));
  buffer.bytes.fill(0);
  let at = segmentHeaderBytes;
  for (const [i, payload] of payloads.entries()) {
    const batch = { recordCount: 1, compression: 0, payload };
    at += encodeBatch(buffer, at, at, segmentHeaderBytes, 1, i + 1, i, i, batch, undefined);
  }
  if (isSealed) encodeControl(buffer, at, at, at, "seal", 0, 0, new Uint8Array(0));
  return buffer.bytes;
}

async function inPieces(content: Buffer, pieceBytes: number): Promise<{ scan: Scan; longestRead: number }> {
  let longestRead = 0;
  const read = (offset: number, length: number) => {
    longestRead = Math.max(longestRead, length);
    return Promise.resolve(content.subarray(offset, offset + length));
  };
  let scan: Scan = { frames: [], damages: [], end: Math.min(segmentHeaderBytes, content.byteLength) };
  for await (const { frames, damages, end } of scanPieces(read, content.byteLength, pieceBytes)) {
    scan = { frames: [...scan.frames, ...frames], damages: [...scan.damages, ...damages], end };
  }
  return { scan, longestRead };
}

describe("a segment that is scanned piece by piece", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  const damages = fc.array(fc.record({ at: fc.nat(), length: fc.nat(200), byte: fc.nat(255) }), {
    maxLength: 4,
  });

  it("gives what a scan of the whole gives, whatever is damaged and wherever a piece ends", async () => {
    await fc.assert(
      fc.asyncProperty(
        payloads,
        fc.boolean(),
        damages,
        fc.nat(400),
        fc.nat(100),
        async (batches, isSealed, holes, pieceBytes, cut) => {
          let content = segmentOf(batches, isSealed);
          for (const { at, length, byte } of holes) {
            const from = at % (content.byteLength + 1);
            content.fill(byte, from, Math.min(content.byteLength, from + length));
          }
          if (cut < 50) content = content.subarray(0, Math.max(0, content.byteLength - cut));
          const { scan } = await inPieces(content, frameHeaderBytes + pieceBytes);
          assert.deepEqual(scan, scanFrames(content, false));
        },
      ),
    );
  });

  it("takes no more memory than a piece, or the largest frame", async () => {
    const content = segmentOf(
      Array.from({ length: 500 }, () => new Uint8Array(1000)),
      true,
    );
    const { scan, longestRead } = await inPieces(content, 4096);
    assert.equal(scan.frames.length, 500);
    assert.equal(longestRead, 4096);
    const large = await inPieces(segmentOf([new Uint8Array(10_000), new Uint8Array(10)], true), 4096);
    assert.equal(large.scan.frames.length, 2);
    assert.equal(large.longestRead, batchFrameBytes(10_000, undefined));
  });
});
