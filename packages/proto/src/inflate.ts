import * as zlib from "node:zlib";
import { decompress as wasmDecompress } from "@bokuweb/zstd-wasm";
import { asBuffer } from "./utf8.js";
import { readyZstdWasm } from "./zstd-wasm.js";

/** CompressionType of the API, of a BatchedRecord's payload. */
export const compression = { none: 0, gzip: 1, zstd: 2 } as const;

/** A payload that cannot be inflated, and why, in a sentence. */
export interface Unreadable {
  readonly kind: "unreadable";
  readonly reason: string;
}

/** Undoes the compression of a payload; the payload itself when it has none. */
export type Inflate = (payload: Uint8Array, compressionType: number) => Uint8Array | Unreadable;

export function isUnreadable(inflated: Uint8Array | Unreadable): inflated is Unreadable {
  return !(inflated instanceof Uint8Array);
}

/** Prepares the decompressors. `bytesMax`: what a payload may grow to. */
export async function loadInflate(bytesMax: number): Promise<Inflate> {
  const unzstd = await loadUnzstd(bytesMax);
  return (payload, compressionType) => {
    try {
      switch (compressionType) {
        case compression.none:
          return payload;
        case compression.gzip:
          // Some clients flush their gzip stream and never end it.
          return zlib.gunzipSync(payload, {
            finishFlush: zlib.constants.Z_SYNC_FLUSH,
            maxOutputLength: bytesMax,
          });
        case compression.zstd:
          return unzstd(asBuffer(payload));
        default:
          return unreadable(`compression type ${compressionType} is not known`);
      }
    } catch (error) {
      return unreadable(error instanceof Error ? error.message : String(error));
    }
  };
}

function unreadable(reason: string): Unreadable {
  return { kind: "unreadable", reason };
}

type Unzstd = (payload: Buffer) => Buffer;

/** Node has zstd of its own from 22.15 on; before, WebAssembly does it. */
async function loadUnzstd(bytesMax: number): Promise<Unzstd> {
  const native: unknown = Reflect.get(zlib, "zstdDecompressSync");
  if (typeof native === "function") {
    const decompress = native as (payload: Buffer, options: { maxOutputLength: number }) => Buffer;
    return (payload) => decompress(payload, { maxOutputLength: bytesMax });
  }
  await readyZstdWasm();
  return (payload) => {
    const size = zstdContentSize(payload) ?? bytesMax;
    if (size > bytesMax)
      throw new RangeError(`the batch would grow beyond ${bytesMax} bytes (inflatedBytesMax)`);
    const inflated = wasmDecompress(payload, { defaultHeapSize: size });
    return Buffer.from(inflated.buffer, inflated.byteOffset, inflated.byteLength);
  };
}

const zstdMagic = 0xfd2fb528;

/**
 * What the header of a zstd frame says the content's size is; undefined when it says nothing.
 * RFC 8878, 3.1.1.1: magic (4), descriptor (1), window (0 or 1), dictionary id (0 … 4), size (0 … 8).
 */
export function zstdContentSize(frame: Buffer): number | undefined {
  if (frame.length < 5 || frame.readUInt32LE(0) !== zstdMagic) throw new RangeError("not a zstd frame");
  const descriptor = frame[4] as number;
  const singleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (singleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] as number);
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] as number;
  if (frame.length < at + sizeBytes) throw new RangeError("the zstd header is cut off");
  switch (sizeBytes) {
    case 1:
      return frame[at];
    case 2:
      return frame.readUInt16LE(at) + 256;
    case 4:
      return frame.readUInt32LE(at);
    case 8:
      return Number(frame.readBigUInt64LE(at));
    default:
      return undefined;
  }
}
