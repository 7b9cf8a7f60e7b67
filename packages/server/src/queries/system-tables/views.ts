import type { PersistentQueryInfo } from "../persistent-queries.js";
import { stateText } from "../query-document.js";
import { lagOf } from "./queries.js";
import { integer, systemTable, text, timestamp } from "./system-table.js";

interface Row extends PersistentQueryInfo {
  readonly lagMs: number | null;
}

export const viewsTable = systemTable<Row>({
  name: "views",
  help: "The views there are.",
  rows: async (rooms) => {
    const views = rooms.persistent.list().filter(({ document }) => document.kind === "view");
    return Promise.all(
      views.map(async (view) => {
        const isRunning = view.document.state.kind === "running";
        return { ...view, lagMs: isRunning ? await lagOf(rooms, view.progress) : null };
      }),
    );
  },
  columns: [
    text("name", "The view's name.", ({ document }) => document.relation),
    text("query_id", "The query that keeps it up to date.", ({ document }) => document.id),
    text("state", "RUNNING, PAUSED or ABORTED.", ({ document }) => stateText(document.state)),
    text("reason", "Why it was aborted.", ({ document }) =>
      document.state.kind === "aborted" ? document.state.reason : null,
    ),
    text("reads", "The streams and views that it is made from.", ({ sources }) => sources.join(", ")),
    integer("lag_ms", "How long the oldest record that is not in it has been waiting.", ({ lagMs }) => lagMs),
    timestamp(
      "watermark",
      "How far the time of its records has come; NULL where it goes by none.",
      ({ progress }) => progress?.watermarkMs ?? null,
    ),
    integer(
      "changes",
      "Changes of its rows since it was made.",
      ({ progress }) => progress?.totals.rowsOut ?? 0,
    ),
    integer("state_bytes", "About how much memory it takes.", ({ progress }) => progress?.stateBytes ?? null),
    text("sql_text", "The statement that made it.", ({ document }) => document.sql),
    timestamp("created_at", "When it was made.", ({ document }) => document.creationTimeMs),
  ],
});
