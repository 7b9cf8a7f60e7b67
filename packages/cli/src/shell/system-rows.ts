import type { ShellTools } from "./shell-tools.js";

/** A row of a system table: its cells as text, by column. NULL is not there. */
export type SystemRow = Readonly<Record<string, string | undefined>>;

/** Asks a system table; the columns that a server does not have are not there. */
export async function systemRows(
  session: ShellTools,
  sql: string,
  signal: AbortSignal,
): Promise<readonly SystemRow[]> {
  const rows: SystemRow[] = [];
  for await (const statement of session.options.link.client.sql(sql, { signal })) {
    for await (const batch of statement.batches()) {
      for (let row = 0; row < batch.rowCount; row += 1) {
        const cells = batch.columns.map(({ name }, column) => {
          const values = batch.values(column);
          return [name, values.isNull(row) ? undefined : values.text(row)] as const;
        });
        rows.push(Object.fromEntries(cells));
      }
    }
  }
  return rows;
}

/** A text as SQL quotes it. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
