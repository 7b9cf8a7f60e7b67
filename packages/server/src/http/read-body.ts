import type { Readable } from "node:stream";
import type { Timers } from "../env/env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * A whole body. Rejects with RequestTooLarge, and with RequestTimedOut when it has not arrived within
 * httpBodyMs, however slowly it drips.
 */
export async function readBody(stream: Readable, bytesMax: number, timers: Timers): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const late = new HStreamError("RequestTimedOut", { ms: limits.httpBodyMs });
  const timer = timers.after(limits.httpBodyMs, () => stream.destroy(late));
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        throw new HStreamError("RequestTooLarge", {
          what: "The body",
          max: bytesMax,
          limit: "httpBodyBytesMax",
        });
      }
      chunks.push(chunk);
    }
  } finally {
    timer.cancel();
  }
  return Buffer.concat(chunks, bytes);
}
