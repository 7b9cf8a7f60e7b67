import { unreachable } from "@hstream/proto";
import {
  bindStatement,
  type BoundStatement,
  type Diagnostic,
  explain,
  parseScript,
  type StatementNode,
} from "@hstream/sql";
import { HStreamError, type JsonValue } from "../errors.js";
import { spanOf } from "../metrics/tracing.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { PersistentQueries } from "./persistent-queries.js";
import type { QueryRegistry } from "./query-registry.js";
import type { QueryTools } from "./query-tools.js";
import type { Relations } from "./relations.js";
import type { SqlEvent, SqlOptions, SqlService } from "./sql-service.js";
import { analyze } from "./statements/analyze.js";
import { commandEvents } from "./statements/command.js";
import { pauseOrResume, terminate } from "./statements/control.js";
import { createQuery } from "./statements/create-query.js";
import { createConnector } from "./statements/connectors.js";
import { createStream } from "./statements/create-stream.js";
import { drop } from "./statements/drop.js";
import { insert } from "./statements/insert.js";
import { selectPolled, selectPull, selectPush } from "./statements/select.js";
import { describe, errorList, show } from "./statements/show.js";
import { rowEvents, textColumn } from "./static-rows.js";
import type { SystemRooms } from "./system-tables/system-table.js";

/** What statements are carried out with. */
export interface SqlEngineRooms {
  readonly tools: QueryTools;
  readonly appender: StreamAppender;
  readonly relations: Relations;
  readonly persistent: PersistentQueries;
  readonly queries: QueryRegistry;
  readonly system: SystemRooms;
}

/** A statement of a script, with its own text and its place. */
interface PlacedStatement {
  readonly index: number;
  readonly node: StatementNode;
  /** Of the whole script, which the spans refer to. */
  readonly script: string;
  /** What its query shall be called, if it makes one that lives on. */
  readonly name: string | undefined;
}

/** Runs scripts: parses all of it, then binds and runs one statement after the other. */
export class SqlEngine implements SqlService {
  readonly #rooms: SqlEngineRooms;

  constructor(rooms: SqlEngineRooms) {
    this.#rooms = rooms;
  }

  async *execute(
    script: string,
    signal: AbortSignal,
    options: SqlOptions = {},
  ): AsyncGenerator<SqlEvent, undefined> {
    const { statements, diagnostics } = parseScript(script);
    const broken = diagnostics.filter(({ severity }) => severity === "error");
    // What stands before the first error is run, as if the script had come statement by statement.
    const end = broken[0]?.span.start ?? Number.POSITIVE_INFINITY;
    const sound = statements.filter((node) => node.span.start < end);
    for (const [index, node] of sound.entries()) {
      signal.throwIfAborted();
      yield* this.#run({ index, node, script, name: options.queryName }, signal);
    }
    if (broken.length > 0) throw invalidSql(script, sound.length, broken);
  }

  async *#run(statement: PlacedStatement, signal: AbortSignal): AsyncGenerator<SqlEvent, undefined> {
    const { index, node, script } = statement;
    const nowMs = this.#rooms.tools.env.clock.now();
    const { bound, diagnostics } = bindStatement(node, this.#rooms.relations, { nowMs });
    const found = diagnostics.filter(({ severity }) => severity === "error");
    if (bound === undefined || found.length > 0) throw invalidSql(script, index, found);
    const notices = diagnostics.map(({ message, hint }) =>
      hint === undefined ? message : `${message} (${hint})`,
    );
    yield* spanOf(`sql ${bound.kind}`, { "db.system": "hstream" }, () =>
      this.#carryOut(statement, bound, notices, signal),
    );
  }

  async *#carryOut(
    { index, node, script, name }: PlacedStatement,
    bound: BoundStatement,
    notices: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<SqlEvent, undefined> {
    const { tools, appender, persistent, queries, system } = this.#rooms;
    const { streams } = tools;
    const sql = script.slice(node.span.start, node.span.end);
    switch (bound.kind) {
      case "create-stream":
        yield* commandEvents(index, await createStream(streams, bound), 0, notices);
        return;
      case "create-view":
      case "create-stream-as":
      case "insert-select":
        yield* commandEvents(index, await createQuery({ streams, persistent }, bound, sql, name), 0, notices);
        return;
      case "insert": {
        const count = await insert(appender, bound);
        yield* commandEvents(
          index,
          `Inserted ${count} ${count === 1 ? "record" : "records"}.`,
          count,
          notices,
        );
        return;
      }
      case "drop":
        yield* commandEvents(index, await drop({ streams, persistent, queries, system }, bound), 0, notices);
        return;
      case "create-connector":
        yield* commandEvents(index, await createConnector(system.connectors, bound), 0, notices);
        return;
      case "pause":
      case "resume":
        yield* commandEvents(index, await pauseOrResume(this.#rooms, bound), 0, notices);
        return;
      case "terminate":
        yield* commandEvents(index, await terminate(this.#rooms, bound.query), 0, notices);
        return;
      case "show":
        yield* rowEvents(index, show(system, bound));
        return;
      case "show-errors": {
        const query = persistent.document(bound.name);
        if (query === undefined) throw new HStreamError("QueryNotFound", { query: bound.name });
        yield* rowEvents(index, errorList(await persistent.errorsOf(query.id)));
        return;
      }
      case "analyze":
        yield* rowEvents(index, await analyze(this.#rooms, bound.target, bound.name));
        return;
      case "describe":
        yield* rowEvents(index, describe(bound.relation));
        return;
      case "explain": {
        const lines = explain(bound.statement, bound.format).split("\n");
        yield* rowEvents(index, { columns: [textColumn("plan")], rows: lines.map((line) => [line]) });
        return;
      }
      case "query": {
        const select = { index, sql, query: bound.query, notices };
        const { polling } = bound.query;
        if (polling !== undefined) {
          yield* selectPolled(this.#rooms, select, polling, signal);
          return;
        }
        yield* bound.query.emit.kind === "pull"
          ? selectPull(this.#rooms, select)
          : selectPush(this.#rooms, select, signal);
        return;
      }
      default:
        return unreachable(bound);
    }
  }
}

/** The error that carries findings with their places, for a client to point at. */
function invalidSql(script: string, statementIndex: number, findings: readonly Diagnostic[]): HStreamError {
  const diagnostics = findings.map(({ message, hint, span }): JsonValue => {
    const { line, column, start, end } = span;
    return {
      message,
      ...(hint === undefined ? {} : { hint }),
      line,
      column,
      length: Math.max(1, end - start),
      sourceLine: script.split(/\r\n|\r|\n/)[line - 1] ?? "",
    };
  });
  const message = findings[0]?.message ?? "The statement cannot be understood.";
  return new HStreamError("InvalidSql", { message }, { statementIndex, diagnostics });
}
