import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { compress as wasmCompress } from "@bokuweb/zstd-wasm";
import { assert } from "./assert.js";
import { compression } from "./inflate.js";
import { readyZstdWasm } from "./zstd-wasm.js";

/** Compresses a payload; the payload itself when the type asks for nothing. Gzip and zstd are well-formed. */
export async function deflate(payload: Uint8Array, compressionType: number): Promise<Uint8Array> {
  switch (compressionType) {
    case compression.none:
      return payload;
    case compression.gzip:
      return gzip(payload);
    case compression.zstd:
      return zstd(payload);
    default:
      assert(false, () => `compression type ${compressionType} is one that we know`);
      return payload;
  }
}

const gzip = promisify(zlib.gzip);

/** Node has zstd of its own from 22.15 on; before, WebAssembly does it. */
async function zstd(payload: Uint8Array): Promise<Uint8Array> {
  const native: unknown = Reflect.get(zlib, "zstdCompress");
  if (typeof native === "function") return promisify(native as typeof zlib.gzip)(payload);
  await readyZstdWasm();
  return wasmCompress(payload);
}
