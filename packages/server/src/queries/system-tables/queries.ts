import type { QueryLane } from "../../metrics/metrics.js";
import type { QueryProgress, QueryTotals } from "../query-progress.js";
import { stateText } from "../query-document.js";
import { lagMs } from "./lag.js";
import { type Rated, rateColumns, rated } from "./rates.js";
import { integer, type SystemRooms, systemTable, text, timestamp } from "./system-table.js";

interface Row extends Rated<QueryLane> {
  readonly id: string;
  readonly name: string;
  readonly kind: "push" | "view" | "stream" | "insert";
  /** The relation that it writes. */
  readonly output: string | null;
  readonly state: ReturnType<typeof stateText>;
  readonly sql: string;
  readonly startedMs: number;
  readonly lagMs: number | null;
  readonly progress: QueryProgress | undefined;
  readonly failure: string | null;
}

export const queriesTable = systemTable<Row>({
  name: "queries",
  help: "The queries: those that somebody reads, and those that live on.",
  rows: async (rooms) => {
    const nowMs = rooms.metrics.now();
    const rows: Row[] = [];
    for (const { id, sql, startedMs, progress } of rooms.queries.list()) {
      rows.push({
        ...rated(rooms.metrics.queries, id, nowMs),
        id,
        name: id,
        kind: "push",
        output: null,
        state: "RUNNING",
        sql,
        startedMs,
        lagMs: await lagOf(rooms, progress),
        progress,
        failure: null,
      });
    }
    for (const { document, progress } of rooms.persistent.list()) {
      const { id, name, kind, relation, state, sql, creationTimeMs } = document;
      rows.push({
        ...rated(rooms.metrics.queries, id, nowMs),
        id,
        name,
        kind,
        output: relation,
        state: stateText(state),
        sql,
        startedMs: creationTimeMs,
        lagMs: state.kind === "running" ? await lagOf(rooms, progress) : null,
        progress,
        failure: state.kind === "aborted" ? state.reason : null,
      });
    }
    return rows;
  },
  columns: [
    text("id", "Its id, which is never used again.", ({ id }) => id),
    text("name", "Its name, for PAUSE, RESUME, TERMINATE and DROP QUERY.", ({ name }) => name),
    text("kind", "push; or view, stream or insert of a query that lives on.", ({ kind }) => kind),
    text("output", "The view that it keeps, or the stream that it appends to.", ({ output }) => output),
    text("state", "RUNNING, PAUSED, ABORTED or TERMINATED.", ({ state }) => state),
    text("sql_text", "The statement.", ({ sql }) => sql),
    timestamp(
      "started_at",
      "When it was started; of a view, when it was made.",
      ({ startedMs }) => startedMs,
    ),
    integer("rows_in", "Records and rows read since it was made: processed + diverted.", total("rowsIn")),
    integer("processed", "Records and rows that went through.", total("processed")),
    integer("rows_out", "Rows emitted, or changes of the view.", total("rowsOut")),
    integer("expression_errors", "Expressions that failed and gave NULL.", total("errors")),
    integer("diverted", "Records left out: no JSON objects, or late.", total("diverted")),
    ...rateColumns<QueryLane, Row>("rows_in", "Records and rows read", "rowsIn", [1, 5, 10]),
    ...rateColumns<QueryLane, Row>("rows_out", "Rows emitted", "rowsOut", [1, 5, 10]),
    integer("lag_ms", "How long the oldest unread batch has been waiting.", ({ lagMs }) => lagMs),
    timestamp(
      "watermark",
      "How far the time of its records has come; NULL where it goes by none.",
      ({ progress }) => progress?.watermarkMs ?? null,
    ),
    integer(
      "state_bytes",
      "About how much memory its state takes.",
      ({ progress }) => progress?.stateBytes ?? null,
    ),
    text(
      "last_error",
      "Its last failure.",
      ({ progress, failure }) => failure ?? progress?.lastError ?? null,
    ),
  ],
});

function total(count: keyof QueryTotals): (row: Row) => number {
  return ({ progress }) => progress?.totals[count] ?? 0;
}

/** Of the shard that is farthest behind. */
export async function lagOf(
  { log, env }: SystemRooms,
  progress: QueryProgress | undefined,
): Promise<number | null> {
  if (progress === undefined) return null;
  let most = 0;
  for (const [shardId, next] of progress.positions()) {
    most = Math.max(most, await lagMs(log, shardId, next, env.clock.now()));
  }
  return most;
}
