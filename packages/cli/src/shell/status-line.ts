import type { RunStatus } from "./session.js";
import { count } from "./session.js";

/** The one line that is shown while something runs. */
export function statusLine(status: RunStatus): string {
  const rate = Math.round(status.rowsPerSecond).toLocaleString("en-US");
  const seconds = (status.elapsedMs / 1_000).toFixed(status.elapsedMs < 10_000 ? 1 : 0);
  const what = status.endless ? "watching" : "running";
  return `▶ ${what} · ${count(status.rows, "row")} · ${rate}/s · ${seconds} s · Ctrl-C stops`;
}
