import { constants, gunzipSync } from "node:zlib";
import { decompress as zstdDecompress, init as zstdInit } from "@bokuweb/zstd-wasm";
import { limits } from "../limits.js";

/** The numbers of the API's CompressionType. */
export const compression = { none: 0, gzip: 1, zstd: 2 } as const;

/** An uncompressed payload, or why there is none. */
export type Decompressed =
  | { readonly kind: "plain"; readonly payload: Uint8Array }
  | { readonly kind: "damaged"; readonly reason: string };

/** Undoes the compression of a stored batch's payload; never yields more than inflatedBytesMax. */
export type Decompress = (compressionType: number, payload: Uint8Array) => Decompressed;

/** Loads what decompression needs. */
export async function loadDecompress(): Promise<Decompress> {
  await zstdInit();
  return decompress;
}

function decompress(compressionType: number, payload: Uint8Array): Decompressed {
  try {
    switch (compressionType) {
      case compression.none:
        return { kind: "plain", payload };
      case compression.gzip:
        return { kind: "plain", payload: gunzip(payload) };
      case compression.zstd:
        return unzstd(payload);
      default:
        return { kind: "damaged", reason: `compression type ${compressionType} is unknown` };
    }
  } catch (error) {
    return { kind: "damaged", reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Tolerates a missing trailer: one of the clients flushes its writer and does not close it. */
function gunzip(payload: Uint8Array): Uint8Array {
  return gunzipSync(payload, {
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: limits.inflatedBytesMax,
  });
}

function unzstd(payload: Uint8Array): Decompressed {
  const claimed = zstdContentSize(payload);
  if (claimed !== undefined && claimed > limits.inflatedBytesMax) {
    return {
      kind: "damaged",
      reason: `it claims ${claimed} bytes, inflatedBytesMax is ${limits.inflatedBytesMax}`,
    };
  }
  return { kind: "plain", payload: zstdDecompress(payload, { defaultHeapSize: limits.inflatedBytesMax }) };
}

/**
 * What the first frame says of its decompressed size; undefined when it does not say (RFC 8878, 3.1.1):
 *
 *   ┌───────────────┬────────────┬─────────────┬──────────────┬──────────────────┐
 *   │ magic 4 bytes │ descriptor │ window, 0–1 │ dictionary id│ content size, LE │
 *   └───────────────┴────────────┴─────────────┴──────────────┴──────────────────┘
 */
function zstdContentSize(payload: Uint8Array): number | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const descriptor = bytes[4] ?? 0;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (singleSegment ? 0 : 1) + dictionaryBytes;
  if (sizeBytes === 0 || at + sizeBytes > bytes.length) return undefined;
  if (sizeBytes === 8) return Number(bytes.readBigUInt64LE(at));
  return bytes.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}
