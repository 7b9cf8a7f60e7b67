import { systemTable, text, timestamp } from "./system-table.js";

interface Row {
  readonly name: string;
  readonly kind: "source" | "sink";
  readonly target: string;
  readonly state: string;
  readonly createdMs: number;
}

/** Without their configurations, which may hold passwords. */
export const connectorsTable = systemTable<Row>({
  name: "connectors",
  help: "The connectors there are.",
  rows: ({ connectors }) =>
    connectors.list().map(({ name, direction, target, state, creationTimeMs }) => ({
      name,
      kind: direction === "SOURCE" ? "source" : "sink",
      target,
      state,
      createdMs: creationTimeMs,
    })),
  columns: [
    text("name", "The connector's name.", ({ name }) => name),
    text("kind", "source or sink.", ({ kind }) => kind),
    text("target", "What it connects to.", ({ target }) => target),
    text("state", "What it is doing.", ({ state }) => state),
    timestamp("created_at", "When it was made.", ({ createdMs }) => createdMs),
  ],
});
