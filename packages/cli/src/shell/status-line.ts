import { duration } from "./duration.js";
import { count, type RunStatus } from "./session-output.js";

/** The one line that is shown while something runs. */
export function statusLine(status: RunStatus): string {
  const rate = Math.round(status.rowsPerSecond).toLocaleString("en-US");
  const seconds = (status.elapsedMs / 1_000).toFixed(status.elapsedMs < 10_000 ? 1 : 0);
  if (status.label !== undefined) return `▶ ${status.label} · ${seconds} s · Ctrl-C stops`;
  if (!status.endless) {
    return `▶ running · ${count(status.rows, "row")} · ${rate}/s · ${seconds} s · Ctrl-C stops`;
  }
  const sign = status.paused ? "⏸ paused" : "▶ watching";
  const pause = status.paused ? "Ctrl-S goes on" : "Ctrl-S pauses";
  const form = status.form === undefined ? "" : ` · Ctrl-O form (${status.form})`;
  return `${sign} · ${count(status.rows, "row")} · ${rate}/s${standing(status)} · ${seconds} s · Ctrl-C stops · ${pause}${form}`;
}

function standing({ standing }: RunStatus): string {
  const lag = duration(standing?.lagMs);
  const behind = lag === undefined ? "" : ` · lag ${lag}`;
  if (standing?.watermark === undefined) return behind;
  // The day is that of the data and fills the line; the time of day is what moves.
  const time = /^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)/.exec(standing.watermark)?.[1] ?? standing.watermark;
  return `${behind} · watermark ${time}`;
}
