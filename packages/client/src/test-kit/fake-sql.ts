import { type ExecuteSqlResponse, StatementKind } from "@hstream/proto";
import { done, header, rows } from "./columns.js";

/** Tables of a fake server. `changed` is called after each insert. */
export interface FakeTables {
  readonly tables: Map<string, Record<string, unknown>[]>;
  readonly listeners: Set<(table: string, row: Record<string, unknown>) => void>;
}

export class FakeSqlError extends Error {
  readonly code: number;
  readonly grpc: number;
  readonly extra: unknown;
  constructor(message: string, code: number, grpc: number, extra: unknown) {
    super(message);
    this.code = code;
    this.grpc = grpc;
    this.extra = extra;
  }
}

/** Just enough of a language to test those who speak it. */
export async function* runFakeSql(
  text: string,
  state: FakeTables,
  cancelled: AbortSignal,
): AsyncGenerator<ExecuteSqlResponse> {
  let offset = 0;
  let index = 0;
  for (const part of text.replaceAll("\\G", " ;").split(";")) {
    const start = offset + (part.length - part.trimStart().length);
    offset += part.length + 1;
    const statement = part.trim();
    if (statement !== "") yield* runStatement(statement, index++, start, text, state, cancelled);
  }
}

async function* runStatement(
  sql: string,
  index: number,
  start: number,
  text: string,
  state: FakeTables,
  cancelled: AbortSignal,
): AsyncGenerator<ExecuteSqlResponse> {
  const create = /^create stream (\w+)$/i.exec(sql);
  if (create?.[1] !== undefined) {
    state.tables.set(create[1], []);
    yield header(index, StatementKind.STATEMENT_COMMAND);
    yield done(`Created stream ${create[1]}.`);
    return;
  }
  const insert = /^insert into (\w+) \(([^)]*)\) values \((.*)\)$/is.exec(sql);
  if (insert !== null) {
    const names = (insert[2] ?? "").split(",").map((name) => name.trim());
    const values = (insert[3] ?? "").split(",").map((value) => literal(value.trim()));
    const row = Object.fromEntries(names.map((name, place) => [name, values[place]]));
    tableOf(state, insert[1] ?? "", index, start, text).push(row);
    for (const listener of state.listeners) listener(insert[1] ?? "", row);
    yield header(index, StatementKind.STATEMENT_COMMAND);
    yield done("Inserted 1 record.", 1);
    return;
  }
  const generate = /^select numbers (\d+)$/i.exec(sql);
  if (generate !== null) {
    yield header(index, StatementKind.STATEMENT_ROWS, [{ name: "n", type: "INTEGER" }]);
    const total = Number(generate[1]);
    for (let from = 0; from < total; from += 10_000) {
      const count = Math.min(10_000, total - from);
      yield rows(
        Array.from({ length: count }, (_, place) => [from + place]),
        1,
      );
    }
    yield done();
    return;
  }
  const select = /^select\s+(.+?)\s+from\s+(\w+)(\s+emit changes)?$/is.exec(sql);
  if (select !== null) {
    const names = (select[1] ?? "").split(",").map((name) => name.trim());
    const name = select[2] ?? "";
    const stored = tableOf(state, name, index, start, text);
    const columns = names.map((column) => ({ name: column, type: "DYNAMIC" }));
    const cells = (row: Record<string, unknown>) => names.map((column) => row[column] ?? null);
    if (select[3] === undefined) {
      yield header(index, StatementKind.STATEMENT_ROWS, columns);
      if (stored.length > 0) yield rows(stored.map(cells), names.length);
      yield done();
      return;
    }
    yield header(index, StatementKind.STATEMENT_CHANGES, columns);
    for await (const row of inserts(name, state, cancelled)) yield rows([cells(row)], names.length);
    return;
  }
  throw sqlError(`"${sql.split(/\s/)[0]}" starts no statement.`, index, start, text, "Try SELECT.");
}

async function* inserts(
  table: string,
  state: FakeTables,
  cancelled: AbortSignal,
): AsyncGenerator<Record<string, unknown>> {
  const waiting: Record<string, unknown>[] = [];
  let wake: () => void = () => {};
  const listener = (changed: string, row: Record<string, unknown>) => {
    if (changed === table) waiting.push(row);
    wake();
  };
  cancelled.addEventListener("abort", () => wake());
  state.listeners.add(listener);
  try {
    while (!cancelled.aborted) {
      const row = waiting.shift();
      if (row !== undefined) yield row;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    state.listeners.delete(listener);
  }
}

function tableOf(state: FakeTables, name: string, index: number, start: number, text: string) {
  const table = state.tables.get(name);
  if (table !== undefined) return table;
  const at = text.indexOf(name, start);
  throw sqlError(`There is no stream "${name}".`, index, at, text, "SHOW STREAMS lists them.", name.length);
}

function literal(text: string): unknown {
  if (text.startsWith("'")) return text.slice(1, -1);
  return text.toUpperCase() === "NULL" ? null : JSON.parse(text);
}

function sqlError(message: string, index: number, at: number, text: string, hint: string, length = 1) {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = at - before.lastIndexOf("\n");
  const sourceLine = text.split("\n")[line - 1] ?? "";
  const diagnostics = [{ message, hint, line, column, length, sourceLine }];
  return new FakeSqlError(message, 402, 3, { statementIndex: index, diagnostics });
}
