import { type Query, QueryType, TaskStatusPB, type View } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { SqlService } from "../queries/sql-service.js";
import { quoted, StatementRunner, type StructRow } from "./statement-runner.js";

/** What a query has done since it runs here. */
export interface QueryCounts {
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly errors: number;
}

/** The views and queries there are, as the API tells of them; asked for in SQL. */
export class QueryDirectory {
  readonly #runner: StatementRunner;
  readonly #nodeId: number;

  constructor(sql: SqlService, nodeId: number) {
    this.#runner = new StatementRunner(sql);
    this.#nodeId = nodeId;
  }

  async views(signal: AbortSignal): Promise<View[]> {
    return (await this.#runner.rows("SHOW VIEWS;", signal)).map(viewOf);
  }

  /** Rejects with ViewNotFound. */
  async view(id: string, signal: AbortSignal): Promise<View> {
    const found = (await this.views(signal)).find(({ viewId }) => viewId === id);
    if (found === undefined) throw new HStreamError("ViewNotFound", { view: id });
    return found;
  }

  /** Those that live on, and those that somebody reads at the moment. */
  async queries(signal: AbortSignal): Promise<Query[]> {
    return (await this.#runner.rows("SHOW QUERIES;", signal)).map((row) => this.#queryOf(row));
  }

  /** Rejects with QueryNotFound. */
  async query(id: string, signal: AbortSignal): Promise<Query> {
    const found = (await this.queries(signal)).find((each) => each.id === id);
    if (found === undefined) throw new HStreamError("QueryNotFound", { query: id });
    return found;
  }

  /** Starts a query again that was aborted or paused. Rejects with QueryNotFound, QueryNotAborted. */
  async resume(id: string, signal: AbortSignal): Promise<void> {
    await this.#runner.rows(`RESUME QUERY ${quoted(id)};`, signal);
  }

  /** By the id that the API has for each query. */
  async counts(signal: AbortSignal): Promise<Map<string, QueryCounts>> {
    const rows = await this.#runner.rows(
      "SELECT name, rows_in, rows_out, expression_errors FROM queries;",
      signal,
    );
    return new Map(
      rows.map((row) => [
        String(row["name"]),
        {
          rowsIn: Number(row["rows_in"]),
          rowsOut: Number(row["rows_out"]),
          errors: Number(row["expression_errors"]),
        },
      ]),
    );
  }

  #queryOf(row: StructRow): Query {
    const sources = String(row["Sources"]);
    return {
      id: String(row["Query ID"]),
      status: statusOf(row),
      createdTime: BigInt(Date.parse(String(row["Created Time"]))),
      queryText: String(row["SQL Text"]),
      sources: sources === "" ? [] : sources.split(", "),
      resultName: String(row["Sink"]),
      type: row["Kind"] === "VIEW" ? QueryType.CreateViewAs : QueryType.CreateStreamAs,
      nodeId: this.#nodeId,
    };
  }
}

function viewOf(row: StructRow): View {
  return {
    viewId: String(row["View Name"]),
    status: statusOf(row),
    createdTime: BigInt(Date.parse(String(row["Created Time"]))),
    sql: String(row["SQL Text"]),
    schema: [],
    queryName: String(row["Query Name"]),
  };
}

/** Behind that of an aborted one stands the reason. */
function statusOf(row: StructRow): TaskStatusPB {
  const [status = ""] = String(row["Status"]).split(":");
  return statuses[status] ?? TaskStatusPB.TASK_UNKNOWN;
}

const statuses: { readonly [status: string]: TaskStatusPB } = {
  RUNNING: TaskStatusPB.TASK_RUNNING,
  PAUSED: TaskStatusPB.TASK_PAUSED,
  ABORTED: TaskStatusPB.TASK_ABORTED,
  TERMINATED: TaskStatusPB.TASK_TERMINATED,
};
