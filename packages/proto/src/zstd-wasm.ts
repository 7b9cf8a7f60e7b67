import { init } from "@bokuweb/zstd-wasm";

/** Beginning twice would throw away the memory of the first. */
let ready: Promise<void> | undefined;

/** Readies the zstd of WebAssembly, for versions of Node that have none of their own. */
export function readyZstdWasm(): Promise<void> {
  ready ??= init();
  return ready;
}
