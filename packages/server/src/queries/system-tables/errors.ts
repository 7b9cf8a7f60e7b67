import type { RecordedError } from "../../metrics/recent-errors.js";
import { systemTable, text, timestamp } from "./system-table.js";

export const errorsTable = systemTable<RecordedError>({
  name: "errors",
  help: "The last errors of the server, without anybody's data.",
  rows: ({ metrics }) => metrics.errors.list(),
  columns: [
    timestamp("occurred_at", "When it happened.", ({ timeMs }) => timeMs),
    text("source", "Where it happened.", ({ source }) => source),
    text("kind", "Which error it is.", ({ kind }) => kind),
    text("message", "What happened.", ({ message }) => message),
  ],
});
