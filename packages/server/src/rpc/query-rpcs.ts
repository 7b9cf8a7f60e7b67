import { type HStreamApiServer, type Query, QueryType, TaskStatusPB } from "@hstream/proto";
import { parseScript } from "@hstream/sql";
import type { Cluster } from "../cluster/cluster.js";
import { HStreamError } from "../errors.js";
import type { SqlService } from "../queries/sql-service.js";
import { nameProblem } from "../streams/names.js";
import type { Handlers } from "./handlers.js";
import { withNamespace } from "./namespace.js";
import { QueryDirectory } from "./query-directory.js";
import { quoted, StatementRunner } from "./statement-runner.js";
import type { ViewExecutions } from "./statistics.js";

type QueryRpcs = Pick<
  HStreamApiServer,
  | "executeQuery"
  | "createQuery"
  | "createQueryWithNamespace"
  | "listQueries"
  | "getQuery"
  | "terminateQuery"
  | "deleteQuery"
  | "resumeQuery"
  | "pauseQuery"
  | "parseSql"
  | "listViews"
  | "getView"
  | "deleteView"
  | "executeViewQuery"
  | "executeViewQueryWithNamespace"
>;

/** The statements of ExecuteQuery that have a call of their own: which. */
const ownCalls: { readonly [kind: string]: string } = {
  "create-stream": "CreateStream",
  "create-stream-as": "CreateQuery",
  "create-view": "CreateQuery",
  insert: "Append, or CreateQuery",
  query: "ExecuteViewQuery, or CreateQuery",
  drop: "DeleteStream, DeleteView or DeleteQuery",
  terminate: "TerminateQuery",
  show: "ListStreams, ListViews, ListQueries or ListSubscriptions",
};

interface QueryCallRooms {
  readonly sql: SqlService;
  readonly cluster: Cluster;
  readonly executions: ViewExecutions;
}

/** Queries and views in the API's own calls, carried out as the SQL statements that they stand for. */
export function queryRpcs(handlers: Handlers, { sql, cluster, executions }: QueryCallRooms): QueryRpcs {
  const runner = new StatementRunner(sql);
  const directory = new QueryDirectory(sql, cluster.self.id);
  const run = (statement: string, call: AnyCall) => runner.rows(statement, signalOf(call, handlers));
  const views = (call: AnyCall) => directory.views(signalOf(call, handlers));
  const view = (id: string, call: AnyCall) => directory.view(id, signalOf(call, handlers));
  const queries = (call: AnyCall) => directory.queries(signalOf(call, handlers));
  const query = (id: string, call: AnyCall) => directory.query(id, signalOf(call, handlers));

  const create = async (text: string, queryName: string, call: AnyCall): Promise<Query> => {
    const reason = nameProblem(queryName);
    if (reason !== undefined) throw new HStreamError("InvalidName", { reason });
    const statement = onlyStatement(text);
    const lasts =
      statement.kind === "create-view" ||
      statement.kind === "create-stream-as" ||
      (statement.kind === "insert" && statement.source.kind === "query");
    if (!lasts) {
      const expected = "CREATE STREAM … AS, CREATE VIEW … AS, or INSERT INTO … SELECT";
      throw new HStreamError("WrongStatement", { expected });
    }
    await runner.rows(text, signalOf(call, handlers), { queryName });
    return query(queryName, call);
  };
  const executeView = async (text: string, call: AnyCall) => {
    const read = viewRead(text);
    const results = await run(text, call);
    executions.add(read);
    return { results };
  };

  return {
    executeQuery: handlers.unary(async ({ stmtText }, call) => {
      const statement = onlyStatement(stmtText);
      const own = ownCalls[statement.kind];
      if (own !== undefined) throw new HStreamError("DiscardedMethod", { use: own });
      const rows = await run(stmtText, call);
      if (statement.kind !== "explain") return { resultSet: rows };
      return { resultSet: [{ explain: rows.map((row) => Object.values(row).join(" ")).join("\n") }] };
    }),

    createQuery: handlers.unary(({ sql: text, queryName }, call) => create(text, queryName, call)),
    createQueryWithNamespace: handlers.unary(({ sql: text, queryName, namespace }, call) => {
      return create(withNamespace(text, namespace), queryName, call);
    }),
    listQueries: handlers.unary(async (_, call) => ({ queries: await queries(call) })),
    getQuery: handlers.unary(({ id }, call) => query(id, call)),
    terminateQuery: handlers.unary(async ({ queryId }, call) => {
      await run(`TERMINATE QUERY ${quoted(queryId)};`, call);
      return {};
    }),
    deleteQuery: handlers.unary(async ({ id }, call) => {
      const { type, status } = await query(id, call);
      if (type !== QueryType.CreateViewAs && status === TaskStatusPB.TASK_RUNNING) {
        throw new HStreamError("QueryNotTerminated", { query: id });
      }
      await run(`DROP QUERY ${quoted(id)};`, call);
      return {};
    }),

    resumeQuery: handlers.unary(async ({ id }, call) => {
      await run(`RESUME QUERY ${quoted(id)};`, call);
      return {};
    }),
    pauseQuery: handlers.unary(async ({ id }, call) => {
      await run(`PAUSE QUERY ${quoted(id)};`, call);
      return {};
    }),

    parseSql: handlers.unary(({ sql: text }) => ({
      sql: { $case: "evqSql" as const, value: { view: viewRead(text) } },
    })),

    listViews: handlers.unary(async (_, call) => ({ views: await views(call) })),
    getView: handlers.unary(async ({ viewId }, call) => {
      const found = await view(viewId, call);
      const columns = await run(`DESCRIBE ${quoted(viewId)};`, call);
      return { ...found, schema: columns.map(({ column }) => String(column)) };
    }),
    deleteView: handlers.unary(async ({ viewId, ignoreNonExist }, call) => {
      const exists = (await views(call)).some((each) => each.viewId === viewId);
      if (exists) await run(`DROP VIEW ${quoted(viewId)};`, call);
      else if (!ignoreNonExist) throw new HStreamError("ViewNotFound", { view: viewId });
      return {};
    }),
    executeViewQuery: handlers.unary(({ sql: text }, call) => executeView(text, call)),
    executeViewQueryWithNamespace: handlers.unary(({ sql: text, namespace }, call) => {
      return executeView(withNamespace(text, namespace), call);
    }),
  };
}

interface AnyCall {
  on(event: "cancelled", listener: () => void): unknown;
}

/** Aborted when the caller has gone, or the server ends. */
function signalOf(call: AnyCall, handlers: Handlers): AbortSignal {
  const gone = new AbortController();
  call.on("cancelled", () => gone.abort(new Error("the caller has gone")));
  return AbortSignal.any([gone.signal, handlers.closing]);
}

function onlyStatement(text: string) {
  const { statements, diagnostics } = parseScript(text);
  const problem = diagnostics.find(({ severity }) => severity === "error");
  if (problem !== undefined) throw new HStreamError("InvalidSql", { message: problem.message });
  const [statement, ...others] = statements;
  if (statement === undefined || others.length > 0) {
    const message = `The text has ${statements.length} statements; this call takes one.`;
    throw new HStreamError("InvalidSql", { message });
  }
  return statement;
}

/** The view that a SELECT reads. */
function viewRead(text: string): string {
  const statement = onlyStatement(text);
  const query =
    statement.kind === "query" && statement.query.emit === undefined ? statement.query : undefined;
  const from = query?.body.kind === "select" ? query.body.from : undefined;
  if (from?.kind !== "relation") throw new HStreamError("NoViewQuery", {});
  return from.name.text;
}
