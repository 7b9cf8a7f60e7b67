import { decodeRowBatch, isMalformed, must, RowBatch, toRows } from "@hstream/proto";
import { z } from "zod";
import { HStreamError } from "../../errors.js";
import { limits } from "../../limits.js";
import { neededRole } from "../../queries/needed-role.js";
import type { SqlEvent, SqlHeader, SqlRows, SqlService } from "../../queries/sql-service.js";
import type { HttpRooms } from "../http-rooms.js";
import { problemOf, refusalOf } from "../problem.js";
import { type Answer, type Route, route } from "../route.js";
import { eventStreamType, eventText, withHeartbeat } from "../server-sent-events.js";

const columnSchema = z.object({ name: z.string(), type: z.string() });
const resultSchema = z.object({
  columns: z.array(columnSchema),
  rows: z.array(z.record(z.string(), z.json())),
  message: z.string().describe("What a statement without rows has done."),
  rows_affected: z.int(),
  notices: z.array(z.string()),
});
type Result = z.infer<typeof resultSchema>;

const pushKind = 2;

/** Any statement. */
export function sqlRoutes({ sql, env }: HttpRooms): Route[] {
  return [
    route({
      method: "POST",
      path: "/v1/sql",
      group: "SQL",
      summary: "Run SQL",
      description:
        "Any statements. Answered with a result for each; with `Accept: text/event-stream`, and whenever a query with EMIT is among them, as events `header`, `row`, `done` and `problem`, as they are made. Where tokens are asked for, the role `read` may run what only reads.",
      body: z.strictObject({ sql: z.string().min(1).meta({ example: "SELECT * FROM append_throughput;" }) }),
      answers: {
        200: {
          description: "The results.",
          content: {
            "application/json": z.object({ results: z.array(resultSchema) }),
            [eventStreamType]: undefined,
          },
        },
      },
      needs: "read",
      errors: "problem",
      handle: async ({ body, raw, accepts, demand }): Promise<Answer> => {
        if (Buffer.byteLength(body.sql) > limits.sqlTextBytesMax) {
          const max = limits.sqlTextBytesMax;
          throw new HStreamError("RequestTooLarge", { what: "The script", max, limit: "sqlTextBytesMax" });
        }
        allow(body.sql, demand);
        const asEvents = (rest: AsyncIterator<SqlEvent>, earlier: readonly SqlEvent[]): Answer => {
          const events = eventsOf(rest, earlier, raw.id);
          return { kind: "stream", type: eventStreamType, chunks: withHeartbeat(events, env.timers) };
        };
        const run = iteratorOf(sql, body.sql, raw.gone);
        if (accepts(eventStreamType)) return asEvents(run, []);
        return await collect(run, asEvents);
      },
    }),
  ];
}

/** Throws PermissionDenied for a caller who may only read, when the script does more. */
function allow(script: string, demand: (need: "write") => void): void {
  try {
    demand("write");
  } catch (refusal) {
    // Who may write is not kept waiting for the parser.
    if (neededRole(script) === "write") throw refusal;
  }
}

function iteratorOf(sql: SqlService, text: string, signal: AbortSignal): AsyncIterator<SqlEvent> {
  return sql.execute(text, signal)[Symbol.asyncIterator]();
}

/** All results together, unless a query turns up that has no end. */
async function collect(
  run: AsyncIterator<SqlEvent>,
  asEvents: (rest: AsyncIterator<SqlEvent>, earlier: readonly SqlEvent[]) => Answer,
): Promise<Answer> {
  const results: Result[] = [];
  const seen: SqlEvent[] = [];
  let rows: StatementRows | undefined;
  let count = 0;
  for (let next = await run.next(); next.done !== true; next = await run.next()) {
    const event = next.value;
    seen.push(event);
    switch (event.kind) {
      case "header":
        if (event.statementKind === pushKind) return asEvents(run, seen);
        rows = new StatementRows(event);
        results.push({
          columns: rows.columns,
          rows: [],
          message: "",
          rows_affected: 0,
          notices: [...event.notices],
        });
        break;
      case "rows": {
        const into = must(results.at(-1), "rows come after a header").rows;
        for (const row of must(rows, "rows come after a header").decode(event)) into.push(row);
        count += must(rows, "as above").lastCount;
        if (count > limits.httpRowsMax) {
          await run.return?.();
          throw new HStreamError("RequestTooLarge", {
            what: "The answer",
            max: limits.httpRowsMax,
            limit: "httpRowsMax",
          });
        }
        break;
      }
      case "done": {
        const result = must(results.at(-1), "a statement ends after its header");
        result.message = event.message;
        result.rows_affected = Number(event.rowsAffected);
        result.notices.push(...event.notices);
        break;
      }
    }
  }
  return { kind: "json", body: { results } };
}

async function* eventsOf(
  run: AsyncIterator<SqlEvent>,
  earlier: readonly SqlEvent[],
  requestId: string,
): AsyncGenerator<string> {
  let rows: StatementRows | undefined;
  const textOf = (event: SqlEvent): string => {
    switch (event.kind) {
      case "header": {
        rows = new StatementRows(event);
        const { statementIndex, notices, queryId } = event;
        const header = { statement: statementIndex, columns: rows.columns, notices, query_id: queryId };
        return eventText(JSON.stringify(header), "header");
      }
      case "rows": {
        const decoded = must(rows, "rows come after a header").decode(event);
        return decoded.map((row) => eventText(JSON.stringify(row), "row")).join("");
      }
      case "done": {
        const { message, rowsAffected, notices } = event;
        return eventText(JSON.stringify({ message, rows_affected: Number(rowsAffected), notices }), "done");
      }
    }
  };
  try {
    for (const event of earlier) yield textOf(event);
    for (let next = await run.next(); next.done !== true; next = await run.next()) yield textOf(next.value);
  } catch (error) {
    yield eventText(JSON.stringify(problemOf(refusalOf(error), requestId)), "problem");
  } finally {
    await run.return?.();
  }
}

/** Rows of a statement as objects; its columns grow with fields that SELECT * comes upon. */
class StatementRows {
  readonly columns: { name: string; type: string }[];
  lastCount = 0;

  constructor(header: SqlHeader) {
    this.columns = header.columns.map(({ name, type }) => ({ name, type }));
  }

  decode({ encoded }: SqlRows): Result["rows"] {
    const batch = RowBatch.decode(encoded);
    this.columns.push(...batch.addedColumns.map(({ name, type }) => ({ name, type })));
    const rows = decodeRowBatch(batch, this.columns.length);
    if (isMalformed(rows)) throw new HStreamError("Internal", {}, null, rows.reason);
    this.lastCount = rows.rowCount;
    return toRows(rows).map((cells, index) => {
      const row = new Map<string, unknown>();
      if (rows.isDelete(index)) row.set("$op", "delete");
      this.columns.forEach(({ name }, column) => row.set(name, jsonCell(cells[column])));
      return Object.fromEntries(row) as Result["rows"][number];
    });
  }
}

/** Integers beyond 2^53 are texts, since few readers of JSON keep their digits. */
function jsonCell(cell: unknown): unknown {
  return typeof cell === "bigint" ? String(cell) : (cell ?? null);
}
