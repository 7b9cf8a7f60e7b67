import assert from "node:assert/strict";
import * as zlib from "node:zlib";
import * as zstd from "@bokuweb/zstd-wasm";
import { compression, type Inflate, isUnreadable, loadInflate, zstdContentSize } from "./inflate.js";

const bytesMax = 100_000;
const text = Buffer.from("stream ".repeat(1000));

describe("inflate", () => {
  let inflate: Inflate;

  before(async () => {
    // Readies the module that the tests compress with, too.
    inflate = await loadInflate(bytesMax);
  });

  const reasonOf = (payload: Buffer, type: number): string => {
    const result = inflate(payload, type);
    assert(isUnreadable(result));
    return result.reason;
  };

  it("leaves an uncompressed payload where it is", () => {
    assert.equal(inflate(text, compression.none), text);
  });

  it("reads gzip", () => {
    assert.deepEqual(inflate(zlib.gzipSync(text), compression.gzip), text);
  });

  it("reads gzip that was flushed and never ended", (done) => {
    const gzip = zlib.createGzip();
    const pieces: Buffer[] = [];
    gzip.on("data", (piece: Buffer) => pieces.push(piece));
    gzip.write(text);
    gzip.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      setImmediate(() => {
        assert.deepEqual(inflate(Buffer.concat(pieces), compression.gzip), text);
        done();
      });
    });
  });

  it("reads zstd", () => {
    assert.deepEqual(inflate(Buffer.from(zstd.compress(text)), compression.zstd), text);
  });

  it("refuses what grows beyond the limit", () => {
    const bomb = Buffer.alloc(bytesMax + 1);
    assert.match(reasonOf(zlib.gzipSync(bomb), compression.gzip), /larger than|beyond/);
    assert.match(reasonOf(Buffer.from(zstd.compress(bomb)), compression.zstd), /beyond 100000 bytes/);
  });

  it("refuses garbage, and compressions it does not know", () => {
    for (const type of [compression.gzip, compression.zstd]) {
      assert.notEqual(reasonOf(Buffer.from("garbage, really"), type), "");
    }
    assert.notEqual(reasonOf(Buffer.from(zstd.compress(text)).subarray(0, 20), compression.zstd), "");
    assert.match(reasonOf(text, 7), /compression type 7 is not known/);
  });

  it("reads the content size of zstd frames of all sizes", () => {
    for (const size of [0, 1, 255, 256, 65_791, 65_792, 300_000]) {
      assert.equal(zstdContentSize(Buffer.from(zstd.compress(Buffer.alloc(size)))), size);
    }
  });
});
