import type { QueryStanding } from "./session-output.js";
import type { ShellTools } from "./shell-tools.js";
import { sqlText, systemRows } from "./system-rows.js";

const everyMs = 1_000;

/** Tells now and then how far a query is, until it is stopped. A server that cannot say is not asked again. */
export async function followStanding(
  session: ShellTools,
  queryId: string,
  signal: AbortSignal,
  tell: (standing: QueryStanding) => void,
): Promise<void> {
  const { system } = session.options;
  try {
    while (!signal.aborted) {
      await system.sleep(everyMs, signal);
      if (signal.aborted) return;
      const [row] = await systemRows(
        session,
        `SELECT * FROM queries WHERE id = ${sqlText(queryId)};`,
        signal,
      );
      if (row === undefined) continue;
      const lag = row["lag_ms"];
      tell({ lagMs: lag === undefined ? undefined : Number(lag), watermark: row["watermark"] });
    }
  } catch {
    // The status does without.
  }
}
