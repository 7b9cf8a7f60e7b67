import type { EmitNode } from "../ast/ast.js";
import type { Relation } from "../catalog/catalog.js";
import { pollMsMax, pollMsMin } from "../limits.js";
import { intervalMs } from "../values/calendar.js";
import type { Polling } from "./bound-statement.js";
import type { Findings } from "./findings.js";

/** How often EMIT CHANGES looks at a system table. */
const changesEveryMs = 1_000;

/** EMIT of a query over system tables: EVERY gives its answer at intervals, CHANGES what differs. */
export function bindPolling(emit: EmitNode, sources: readonly Relation[], findings: Findings): Polling {
  const stream = sources.find(({ kind }) => kind === "stream");
  if (stream !== undefined) {
    const hint = `join it with a view of ${stream.name}, or leave out EMIT`;
    findings.error(emit.span, "A system table is not followed together with a stream", hint);
  }
  if (emit.from !== undefined) {
    findings.error(emit.span, "A system table has no past to start from", "leave out FROM after EMIT");
  }
  switch (emit.mode) {
    case "final":
      findings.error(emit.span, "A system table is never final", "write EMIT EVERY INTERVAL 1 SECOND");
      return { everyMs: changesEveryMs, show: "answers" };
    case "every":
      return { everyMs: everyMs(emit, findings), show: "answers" };
    case "changes":
    case "coalesced":
    case "retractions":
      return { everyMs: changesEveryMs, show: "changes" };
  }
}

function everyMs({ interval, span }: EmitNode, findings: Findings): number {
  const value = interval?.kind === "literal" ? interval.value : null;
  if (typeof value === "object" && value !== null && "kind" in value && value.kind === "interval") {
    const ms = intervalMs(value);
    if (ms >= pollMsMin && ms <= pollMsMax) return ms;
  }
  findings.error(
    interval?.span ?? span,
    "EMIT EVERY takes a length of time from 100 milliseconds to 1 day",
    "write it as EMIT EVERY INTERVAL 1 SECOND",
  );
  return changesEveryMs;
}
