import { HStreamClientError } from "@hstream/client";
import type { ShellTools } from "./shell-tools.js";

const everyMs = 1_000;

/**
 * Draws what `look` answers each second, in place, until it is stopped; the last view stays. Without a live
 * area it is printed once. A server that does not answer is asked again.
 */
export async function livePanel(
  session: ShellTools,
  label: string,
  signal: AbortSignal,
  look: () => Promise<readonly string[]>,
): Promise<void> {
  const { output, system, link } = session.options;
  const started = system.uptime();
  let lines: readonly string[] = [];
  while (!signal.aborted) {
    try {
      lines = await look();
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof HStreamClientError) || error.reason !== "unavailable") throw error;
      await link.reconnect().catch(() => {});
      lines = ["No server answers; trying again."];
    }
    if (!output.live) break;
    output.panel(lines.slice(0, Math.max(1, output.rows() - 3)));
    const elapsedMs = system.uptime() - started;
    output.status({ rows: 0, rowsPerSecond: 0, elapsedMs, endless: true, paused: false, label });
    await system.sleep(everyMs, signal);
  }
  output.panel([]);
  if (lines.length > 0) await output.write(`${lines.join("\n")}\n\n`);
}
