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

  /** Every view is kept by a query of its name; the others are those that somebody reads at the moment. */
  async queries(signal: AbortSignal): Promise<Query[]> {
    const pushed = (await this.#runner.rows("SHOW QUERIES;", signal)).map((row) => this.#queryOf(row));
    const kept = (await this.views(signal)).map((each) => this.keeperOf(each));
    return [...kept, ...pushed.filter(({ id }) => !kept.some((keeper) => keeper.id === id))];
  }

  /** Rejects with QueryNotFound. */
  async query(id: string, signal: AbortSignal): Promise<Query> {
    const found = (await this.queries(signal)).find((each) => each.id === id);
    if (found === undefined) throw new HStreamError("QueryNotFound", { query: id });
    return found;
  }

  /** Starts a query again that was aborted. Rejects with QueryNotFound, QueryNotAborted. */
  async resume(id: string, signal: AbortSignal): Promise<void> {
    const { status } = await this.query(id, signal);
    if (status === TaskStatusPB.TASK_RUNNING) throw new HStreamError("QueryNotAborted", { query: id });
    await this.#runner.rows(`RESUME QUERY ${quoted(id)};`, signal);
  }

  /** By the id that the API has for each query. */
  async counts(signal: AbortSignal): Promise<Map<string, QueryCounts>> {
    const names = new Map<unknown, unknown>();
    for (const row of await this.#runner.rows("SELECT name, query_id FROM views;", signal)) {
      names.set(row["query_id"], row["name"]);
    }
    const rows = await this.#runner.rows(
      "SELECT id, rows_in, rows_out, expression_errors FROM queries;",
      signal,
    );
    return new Map(
      rows.map((row) => [
        String(names.get(row["id"]) ?? row["id"]),
        {
          rowsIn: Number(row["rows_in"]),
          rowsOut: Number(row["rows_out"]),
          errors: Number(row["expression_errors"]),
        },
      ]),
    );
  }

  /** The query behind a view. */
  keeperOf({ viewId, status, createdTime, sql }: View): Query {
    return {
      id: viewId,
      status,
      createdTime,
      queryText: sql,
      sources: [],
      resultName: viewId,
      type: QueryType.CreateViewAs,
      nodeId: this.#nodeId,
    };
  }

  #queryOf(row: StructRow): Query {
    return {
      id: String(row["Query ID"]),
      status: TaskStatusPB.TASK_RUNNING,
      createdTime: BigInt(Date.parse(String(row["Created Time"]))),
      queryText: String(row["SQL Text"]),
      sources: [],
      resultName: "",
      type: QueryType.CreateStreamAs,
      nodeId: this.#nodeId,
    };
  }
}

function viewOf(row: StructRow): View {
  const name = String(row["View Name"]);
  return {
    viewId: name,
    status: String(row["Status"]).startsWith("RUNNING")
      ? TaskStatusPB.TASK_RUNNING
      : TaskStatusPB.TASK_ABORTED,
    createdTime: BigInt(Date.parse(String(row["Created Time"]))),
    sql: String(row["SQL Text"]),
    schema: [],
    queryName: name,
  };
}
