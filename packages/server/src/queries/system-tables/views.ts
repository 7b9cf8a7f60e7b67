import type { PersistentQueryInfo } from "../persistent-queries.js";
import { stateText } from "../query-document.js";
import { systemTable, text, timestamp } from "./system-table.js";

export const viewsTable = systemTable<PersistentQueryInfo>({
  name: "views",
  help: "The views there are.",
  rows: ({ persistent }) => persistent.list().filter(({ document }) => document.kind === "view"),
  columns: [
    text("name", "The view's name.", ({ document }) => document.relation),
    text("query_id", "The query that keeps it up to date.", ({ document }) => document.id),
    text("state", "RUNNING, PAUSED or ABORTED.", ({ document }) => stateText(document.state)),
    text("reason", "Why it was aborted.", ({ document }) =>
      document.state.kind === "aborted" ? document.state.reason : null,
    ),
    text("sql_text", "The statement that made it.", ({ document }) => document.sql),
    timestamp("created_at", "When it was made.", ({ document }) => document.creationTimeMs),
  ],
});
