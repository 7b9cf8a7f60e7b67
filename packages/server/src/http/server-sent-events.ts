import type { Timers } from "../env/env.js";
import { limits } from "../limits.js";

export const eventStreamType = "text/event-stream";

/** One event; `data` has no line breaks, as JSON has none. */
export function eventText(data: string, event?: string, id?: string): string {
  const name = event === undefined ? "" : `event: ${event}\n`;
  const place = id === undefined ? "" : `id: ${id}\n`;
  return `${name}${place}data: ${data}\n\n`;
}

/** The same events, with a comment now and then while there is none, which keeps the connection open. */
export async function* withHeartbeat(events: AsyncIterable<string>, timers: Timers): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]();
  let pending = iterator.next();
  try {
    for (;;) {
      const quiet = new AbortController();
      const sleep = timers.sleep(limits.httpHeartbeatMs, quiet.signal).then(
        () => "beat" as const,
        () => "beat" as const,
      );
      const next = await Promise.race([pending, sleep]).finally(() => quiet.abort());
      if (next === "beat") {
        yield ": still there\n\n";
        continue;
      }
      if (next.done === true) return;
      pending = iterator.next();
      // If the reader leaves now, nobody waits for it any more.
      pending.catch(() => undefined);
      yield next.value;
    }
  } finally {
    pending.catch(() => undefined);
    void iterator.return?.()?.catch(() => undefined);
  }
}
