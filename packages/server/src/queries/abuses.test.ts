import assert from "node:assert/strict";
import { bindStatement, type Catalog, optimise, parseScript, type Relation, toPhysical } from "@hstream/sql";
import { loadInflate, must } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { Execution } from "../executor/execution.js";
import { storedBatch } from "../executor/plans.test.helper.js";
import { limits } from "../limits.js";
import { TestRoom } from "./test-room.js";

/*
 * The abuses of the list of bad SQL inputs, by their numbers there, that need more than the language: those that need
 * none are in packages/sql/src/parse/forty-abuses.test.ts.
 */

const isError =
  (...kinds: readonly string[]) =>
  (error: unknown): boolean =>
    error instanceof HStreamError && kinds.includes(error.kind);

/** How many of the scripts ended well, and with which errors the others did. */
async function outcomes(
  room: TestRoom,
  scripts: readonly string[],
): Promise<{ readonly done: number; readonly kinds: ReadonlySet<string> }> {
  const results = await Promise.allSettled(scripts.map((script) => room.run(script)));
  const failed = results.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  const kinds = failed.map((error) => (error instanceof HStreamError ? error.kind : String(error)));
  return { done: results.length - failed.length, kinds: new Set(kinds) };
}

describe("abuses of SQL that runs", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
    await room.run("CREATE STREAM s (a INTEGER); INSERT INTO s (a) VALUES (1), (2), (3);");
  });
  afterEach(() => room.close());

  it("22: more groups than there is memory for", async () => {
    const stream: Relation = {
      kind: "stream",
      id: "s",
      name: "s",
      columns: [],
      open: true,
      appendOnly: true,
    };
    const catalog: Catalog = { relation: () => stream, relationNames: () => ["s"] };
    const { statements } = parseScript("SELECT k, ARRAY_AGG(v) FROM s GROUP BY k EMIT CHANGES;");
    const { bound } = bindStatement(must(statements[0], "a statement"), catalog);
    assert(bound?.kind === "query");
    const inflate = await loadInflate(limits.inflatedBytesMax);
    const small = { ...limits, queryStateBytesMax: 500_000 };
    const run = new Execution(toPhysical(optimise(bound.query)), { kind: "emit" }, 0, inflate, small);
    let fed = 0;
    const feedForEver = (): void => {
      for (;;) {
        const records = Array.from({ length: 500 }, (_, i) => ({ k: `key ${fed + i}`, v: "x".repeat(50) }));
        fed += records.length;
        run.feed([{ kind: "records", source: 0, batches: [storedBatch(records)] }]);
        while (run.pending) run.step(0);
      }
    };
    assert.throws(feedForEver, (error: unknown) => {
      assert(isError("QueryStateTooLarge")(error));
      assert.match(String(error), /aggregate/);
      return true;
    });
    // It held what it could.
    assert(fed > 1_000 && fed < 20_000, `${fed} groups`);
  });

  it("30: a view and a stream over each other", async () => {
    await room.run("CREATE VIEW v AS SELECT a, COUNT(*) AS n FROM s GROUP BY a;");
    await assert.rejects(room.run("INSERT INTO s SELECT a FROM v;"), isError("InvalidSql"));
    const replace = "CREATE OR REPLACE VIEW v AS SELECT a, COUNT(*) AS n FROM v GROUP BY a;";
    await assert.rejects(room.run(replace), isError("InvalidSql"));
    await room.run("CREATE STREAM t AS SELECT a FROM v;");
    await assert.rejects(room.run("INSERT INTO s SELECT a + 1 AS a FROM t;"), isError("InvalidSql"));
    await assert.rejects(room.run("CREATE STREAM u AS SELECT a FROM u;"), isError("InvalidSql"));
    assert.deepEqual(await room.rows("SELECT COUNT(*) AS n FROM v;"), [{ n: 3 }]);
  });

  it("32: DROP of what is in use", async () => {
    await room.run("CREATE VIEW v AS SELECT a FROM s;");
    await assert.rejects(room.run("DROP STREAM s;"), isError("ViewInUse"));
    await assert.rejects(room.run("DROP STREAM IF EXISTS s;"), isError("ViewInUse"));
    await room.run("DROP VIEW v IF EXISTS; DROP VIEW IF EXISTS v; DROP STREAM s; DROP STREAM s IF EXISTS;");
  });

  it("33: the same CREATE a hundred times at once", async () => {
    const copies = (script: string): string[] => new Array<string>(100).fill(script);
    assert.deepEqual(await outcomes(room, copies("CREATE STREAM t;")), {
      done: 1,
      kinds: new Set(["StreamExists"]),
    });
    assert.equal((await outcomes(room, copies("CREATE STREAM IF NOT EXISTS u;"))).done, 100);
    const views = await outcomes(room, copies("CREATE VIEW v AS SELECT a FROM s;"));
    assert.deepEqual(views, { done: 1, kinds: new Set(["ViewExists"]) });
    assert.equal((await outcomes(room, copies("CREATE VIEW IF NOT EXISTS w AS SELECT a FROM s;"))).done, 100);
    assert.equal((await room.rows("SHOW STREAMS;")).length, 3);
  });

  it("34: a view that is dropped while it is read", async () => {
    await room.run("CREATE VIEW v AS SELECT a, COUNT(*) AS n FROM s GROUP BY a;");
    const reads = Array.from({ length: 30 }, () => "SELECT COUNT(*) AS n FROM v;");
    const all = outcomes(room, [...reads.slice(15), "DROP VIEW v;", ...reads.slice(15)]);
    const { done, kinds } = await all;
    // Each reader has its answer or is told that the view is gone.
    assert(done >= 1);
    for (const kind of kinds) assert(["InvalidSql", "ViewNotFound", "QueryTerminated"].includes(kind), kind);
    await assert.rejects(room.run("SELECT * FROM v;"), isError("InvalidSql"));
  });

  it("35: push queries whose clients never read, and leave", async () => {
    const leaving = new AbortController();
    const ids: string[] = [];
    const headers = Array.from({ length: 1_000 }, async () => {
      const events = room.events("SELECT a FROM s EMIT CHANGES FROM EARLIEST;", leaving.signal);
      const first = await events[Symbol.asyncIterator]().next();
      // What comes after the header is left lying.
      if (first.done !== true && first.value.kind === "header") ids.push(first.value.queryId);
    });
    await Promise.all(headers);
    assert.equal(new Set(ids).size, 1_000);
    assert.equal((await room.rows("SHOW QUERIES;")).length, 1_000);
    await assert.rejects(room.run("SELECT a FROM s EMIT CHANGES;"), isError("TooManyQueries"));
    // Others are served meanwhile.
    await room.run("INSERT INTO s (a) VALUES (4);");
    assert.deepEqual(await room.rows("SELECT COUNT(*) AS n FROM s;"), [{ n: 4 }]);
    const names = (await room.rows("SHOW QUERIES;")).map((row) => String(row["Query ID"]));
    await Promise.all(names.map((name) => room.run(`TERMINATE QUERY ${name};`)));
    assert.deepEqual(await room.rows("SHOW QUERIES;"), []);
    leaving.abort();
  }).timeout(60_000);

  it("36: a thousand queries one after the other", async () => {
    for (let turn = 0; turn < 10; turn++) {
      const many = Array.from({ length: 100 }, () => "SELECT a FROM s EMIT CHANGES FROM EARLIEST LIMIT 1;");
      assert.equal((await outcomes(room, many)).done, 100);
    }
    assert.deepEqual(await room.rows("SHOW QUERIES;"), []);
  }).timeout(60_000);
});
