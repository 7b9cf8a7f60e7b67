import type { ViewInfo } from "../view-registry.js";
import { systemTable, text, timestamp } from "./system-table.js";

export const viewsTable = systemTable<ViewInfo>({
  name: "views",
  help: "The views there are.",
  rows: ({ views }) => views.list(),
  columns: [
    text("name", "The view's name.", ({ document }) => document.name),
    text("query_id", "The query that keeps it up to date.", ({ document }) => document.id),
    text("state", "RUNNING or ABORTED.", ({ status }) => (status.kind === "running" ? "RUNNING" : "ABORTED")),
    text("reason", "Why it was aborted.", ({ status }) => (status.kind === "running" ? null : status.reason)),
    text("sql_text", "The statement that made it.", ({ document }) => document.sql),
    timestamp("created_at", "When it was made.", ({ document }) => document.creationTimeMs),
  ],
});
