import { type FunctionEntry, functionTable } from "@hstream/sql";
import { systemTable, text } from "./system-table.js";

export const functionsTable = systemTable<FunctionEntry>({
  name: "functions",
  help: "The functions, operators and special forms of SQL.",
  rows: () => functionTable,
  columns: [
    text("name", "What it is called.", ({ name }) => name),
    text("kind", "scalar, operator, aggregate or form.", (entry) =>
      entry.kind === "scalar" && entry.operator === true ? "operator" : entry.kind,
    ),
    text("aliases", "Other names, with commas between.", ({ aliases }) => aliases?.join(", ") ?? ""),
    text("help", "What it does.", ({ help }) => help),
    text("example", "A call.", ({ examples }) => examples[0]?.sql ?? null),
    text("example_result", "What the call gives.", ({ examples }) => examples[0]?.result ?? null),
  ],
});
