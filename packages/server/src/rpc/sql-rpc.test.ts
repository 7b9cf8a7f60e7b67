import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServiceError } from "@grpc/grpc-js";
import { type ExecuteSqlResponse, RowBatch, StatementKind } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { SqlEvent } from "../queries/sql-service.js";
import { failureIn, startTestServer, type TestServer } from "./test-server.test.helper.js";

type Script = (sql: string, signal: AbortSignal) => AsyncIterable<SqlEvent>;

describe("ExecuteSql", () => {
  let test: TestServer;
  let script: Script;

  beforeEach(async () => {
    const execute: Script = (sql, signal) => script(sql, signal);
    test = await startTestServer({
      openSql: () => Promise.resolve({ execute, close: () => Promise.resolve() }),
    });
  });
  afterEach(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  const header: SqlEvent = {
    kind: "header",
    statementIndex: 0,
    statementKind: StatementKind.STATEMENT_ROWS,
    columns: [{ name: "a", type: "INTEGER" }],
    notices: [],
    queryId: "q",
  };
  const rows = (bytes: number): SqlEvent => ({
    kind: "rows",
    encoded: RowBatch.encode({
      rowCount: 1,
      addedColumns: [],
      columns: [{ nulls: new Uint8Array(bytes), values: { $case: "allNull", value: true } }],
      operations: new Uint8Array(),
    }).finish(),
  });

  it("streams the events, rows as they were encoded", async () => {
    script = async function* (sql) {
      yield header;
      yield rows(300);
      yield { kind: "done", message: sql, rowsAffected: 1n, notices: ["n"] };
    };
    const answers: ExecuteSqlResponse[] = [];
    for await (const answer of test.ext.executeSql({ sql: "SELECT a;" }))
      answers.push(answer as ExecuteSqlResponse);
    const [first, second, third] = answers.map(({ event }) => event);
    const { kind: _, statementKind, ...fields } = header;
    assert.deepEqual(first, { $case: "header", value: { ...fields, kind: statementKind } });
    assert.equal(second?.$case === "rows" && second.value.columns[0]?.nulls.length, 300);
    assert.deepEqual(third, {
      $case: "done",
      value: { message: "SELECT a;", rowsAffected: 1n, notices: ["n"] },
    });
  });

  const failure = async (sql: string) => {
    const stream = test.ext.executeSql({ sql });
    stream.resume();
    const [error] = (await once(stream, "error")) as [ServiceError];
    return failureIn(error);
  };

  it("ends with the status of what is thrown, and of scripts that are too long", async () => {
    script = async function* () {
      yield header;
      throw new HStreamError("InvalidSql", { message: "line 1: no" });
    };
    const thrown = await failure("SELEC;");
    assert.deepEqual([thrown.status, thrown.error, thrown.text], [3, 402, "line 1: no"]);
    const long = await failure(" ".repeat(1_048_577));
    assert.deepEqual([long.status, long.error], [3, 402]);
  });

  it("aborts the query when the caller goes, and asks for no more than the caller reads", async () => {
    let produced = 0;
    const aborted = new Promise<void>((resolve) => {
      script = async function* (_, signal) {
        signal.addEventListener("abort", () => resolve());
        for (; !signal.aborted; produced++) yield rows(1_000_000);
      };
    });
    const stream = test.ext.executeSql({ sql: "SELECT;" });
    stream.on("error", () => {});
    // The client library stops the transport only once it has begun to read.
    await once(stream, "data");
    stream.pause();
    let before = -1;
    // The transport's windows fill up, and then nothing more is produced.
    while (before !== produced || produced === 0) {
      before = produced;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(produced < 20, `${produced} MB for a caller that does not read`);
    stream.cancel();
    await aborted;
  });

  it("ends push queries with UNAVAILABLE when the server goes", async () => {
    script = async function* (_, signal) {
      yield header;
      await new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    };
    const stream = test.ext.executeSql({ sql: "SELECT;" });
    await once(stream, "data");
    const ended = once(stream, "error") as Promise<[ServiceError]>;
    await test.server.close();
    assert.equal((await ended)[0].code, 14);
  });
});
