import { typeName } from "@hstream/sql";
import { systemTables } from "./table-list.js";

/** The part of docs/system-tables.md that lists the tables; a test keeps it in step. */
export function manualOfTables(): string {
  return systemTables
    .map(({ name, help, relation }) => {
      const rows = relation.columns.map((column) => {
        return `| \`${column.name}\` | ${typeName(column.type)} | ${column.help ?? ""} |`;
      });
      return [`### ${name}`, "", help, "", "| column | type | |", "|---|---|---|", ...rows, ""].join("\n");
    })
    .join("\n");
}
