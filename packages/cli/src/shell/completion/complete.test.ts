import assert from "node:assert/strict";
import fc from "fast-check";
import { functionTable } from "@hstream/sql/runtime";
import { contextualWords, reservedWords } from "@hstream/sql/tokens";
import { complete, type CompletionSources } from "./complete.js";
import { commonStart } from "./completion.js";
import { cursorContext } from "./cursor-context.js";

const columns: Readonly<Record<string, readonly { name: string; type: string | undefined }[]>> = {
  flights: [
    { name: "origin", type: "STRING" },
    { name: "delay", type: "INTEGER" },
    { name: "select", type: undefined },
  ],
  airports: [{ name: "city", type: undefined }],
};
const sources: CompletionSources = {
  relations: [
    { name: "flights", kind: "stream" },
    { name: "odd name", kind: "stream" },
    { name: "with-hyphen", kind: "stream" },
    { name: "airports", kind: "view" },
  ],
  columns: (relation) => columns[relation] ?? [],
  functions: functionTable,
  files: (typed) => (typed.startsWith("dir/") ? ["dir/a.sql", "dir/b.csv"] : ["dir/", "setup.sql"]),
  savedQueries: ["daily"],
};

/** The candidates where "|" stands. */
function at(marked: string): readonly string[] {
  const cursor = marked.indexOf("|");
  return complete(marked.replace("|", ""), cursor, sources).candidates.map(({ text }) => text);
}

describe("completion", () => {
  it("offers what can begin a statement, also behind another one", () => {
    for (const place of ["|", "SELECT 1; |"]) {
      assert.deepEqual(at(place).slice(0, 3), ["SELECT", "INSERT INTO", "CREATE STREAM"]);
    }
    assert.deepEqual(at("sh|"), ["show"], "in the case that was typed");
    assert.deepEqual(at("SHOW |").slice(0, 2), ["STREAMS", "VIEWS"]);
  });

  it("offers streams and views where a relation stands, quoted where they must be", () => {
    assert.deepEqual(at("SELECT * FROM |").slice(0, 4), ["flights", '"odd name"', "with-hyphen", "airports"]);
    assert.deepEqual(at("SELECT * FROM fl|"), ["flights"]);
    assert.deepEqual(at("INSERT INTO |").includes("airports"), false, "a view takes no records");
    assert.deepEqual(at("DROP VIEW |"), ["airports", "IF EXISTS"]);
    assert.deepEqual(at("DESCRIBE air|"), ["airports"]);
  });

  it("offers the columns of FROM, also before it, and of an alias behind its dot", () => {
    assert.deepEqual(at("SELECT ori| FROM flights"), ["origin"]);
    assert.deepEqual(at("SELECT | FROM flights").slice(0, 3), ["origin", "delay", '"select"']);
    assert.deepEqual(at("SELECT f.| FROM flights AS f"), ["origin", "delay", '"select"']);
    assert(at("SELECT * FROM flights WHERE |").includes("delay"));
    assert(!at("SELECT * FROM flights WHERE |").includes("city"));
    assert.deepEqual(at("INSERT INTO flights (|"), ["origin", "delay", '"select"']);
    assert.equal(at("SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin ORDER BY |")[0], "n");
  });

  it("offers the clauses that may follow, and no column behind an operand", () => {
    assert.deepEqual(at("SELECT * FROM flights WH|"), ["WHERE"]);
    assert.deepEqual(at("SELECT * FROM flights EMIT |"), ["CHANGES", "FINAL", "EVERY"]);
    assert(at("SELECT * FROM flights EMIT CHANGES FROM |").includes("EARLIEST"));
    assert(at("SELECT * FROM flights WHERE delay > 5 |").includes("AND"));
    assert(!at("SELECT * FROM flights WHERE delay > 5 |").includes("origin"));
    assert.deepEqual(at("SELECT * FROM flights GROUP |"), ["BY"]);
    assert(at("SELECT * FROM flights ORDER BY delay |").includes("DESC"));
  });

  it("offers what joins: relations, ON, the columns of both sides, those of an alias", () => {
    assert(at("SELECT * FROM flights |").includes("LEFT JOIN"));
    assert(at("SELECT * FROM flights LEFT |").includes("JOIN"));
    assert(at("SELECT * FROM flights AS f JOIN |").includes("airports"));
    assert.deepEqual(at("SELECT * FROM flights AS f JOIN airports AS a |").slice(0, 3), [
      "ON",
      "USING",
      "WITHIN",
    ]);
    const on = at("SELECT * FROM flights AS f JOIN airports AS a ON |");
    assert(on.includes("origin") && on.includes("city"));
    assert.deepEqual(at("SELECT * FROM flights AS f JOIN airports AS a ON f.origin = a.|"), ["city"]);
    assert(at("SELECT * FROM flights f JOIN airports a ON f.origin = a.city WH|").includes("WHERE"));
    assert.deepEqual(at("SELECT * FROM flights JOIN airports USING (ci|"), ["city"]);
    assert.deepEqual(at("SELECT * FROM flights f JOIN airports a WITHIN |"), ["INTERVAL"]);
    assert.deepEqual(at("SELECT cit| FROM flights, airports"), ["city"]);
  });

  it("knows the parts of UNION each for itself", () => {
    assert(at("SELECT origin FROM flights UN|").includes("UNION"));
    assert.deepEqual(at("SELECT origin FROM flights UNION |").slice(0, 2), ["SELECT", "ALL"]);
    assert.deepEqual(at("SELECT origin FROM flights UNION ALL |"), ["SELECT"]);
    const second = at("SELECT origin FROM flights UNION ALL SELECT | FROM airports");
    assert(second.includes("city") && !second.includes("origin"));
    const first = at("SELECT | FROM flights UNION SELECT city FROM airports");
    assert(first.includes("origin") && !first.includes("city"));
  });

  it("knows the tables of WITH and the columns of subqueries", () => {
    assert.deepEqual(at("WI|"), ["WITH"]);
    const named = "WITH late AS (SELECT origin AS place, delay FROM flights WHERE delay > 9) ";
    assert(at(`${named}SELECT * FROM |`).includes("late"));
    assert.deepEqual(at(`${named}|`), ["SELECT"]);
    const columns = at(`${named}SELECT | FROM late`);
    assert(columns.includes("place") && columns.includes("delay") && !columns.includes("origin"));
    const inner = at("WITH late AS (SELECT | FROM flights) SELECT * FROM late");
    assert(inner.includes("origin"));
    assert.deepEqual(at("WITH l (a, b) AS (SELECT 1, 2) SELECT l.| FROM l"), ["a", "b"]);
    const sub = at("SELECT x.| FROM (SELECT origin AS o, delay + 1 AS d FROM flights) AS x");
    assert.deepEqual(sub, ["o", "d"]);
    const all = at("SELECT x.| FROM (SELECT * FROM flights) AS x");
    assert.deepEqual(all, ["origin", "delay", '"select"']);
    assert(at("SELECT * FROM flights WHERE origin IN (SELECT | FROM airports)").includes("city"));
  });

  it("knows windows: the relation within, the interval, the columns that they add", () => {
    assert(at("SELECT * FROM TUM|").includes("TUMBLE("));
    assert(at("SELECT * FROM TUMBLE(|").includes("flights"));
    assert.deepEqual(at("SELECT * FROM HOP(flights, |"), ["INTERVAL"]);
    const columns = at("SELECT | FROM TUMBLE(flights, INTERVAL 1 MINUTE)");
    assert(columns.includes("origin") && columns.includes("window_start"));
    assert(at("SELECT * FROM TUMBLE(flights, INTERVAL 1 MINUTE) GR|").includes("GROUP BY"));
    assert.deepEqual(at("SELECT w.wind| FROM TUMBLE(flights, INTERVAL 1 MINUTE) AS w"), [
      "window_start",
      "window_end",
    ]);
    assert(at("SELECT * FROM flights EMIT |").includes("FINAL"));
  });

  it("offers functions with their parameters and what they do", () => {
    const { candidates } = complete("SELECT subst", 12, sources);
    const found = candidates.find(({ text }) => text === "SUBSTRING(");
    assert.match(found?.detail ?? "", /^\(string, integer.*\) {2}SUBSTRING\(text/);
  });

  it("offers options and types", () => {
    assert(at("CREATE STREAM s WITH (|").includes("SHARDS = "));
    assert(at("CREATE STREAM s (a |").includes("STRING"));
    assert(at("SELECT CAST(delay AS | FROM flights").includes("FLOAT"));
    assert(at("SELECT delay::|").includes("FLOAT"));
  });

  it("offers nothing within a text, a comment or a number", () => {
    assert.deepEqual(at("SELECT 'FRO|"), []);
    assert.deepEqual(at("SELECT 1 -- FRO|"), []);
    assert.deepEqual(at("SELECT 12|"), []);
  });

  it("offers commands, their words, files, saved statements and topics of help", () => {
    assert(at(":to|").includes("top"));
    assert.deepEqual(at(":format js|"), ["json", "ndjson"].slice(0, 1));
    assert.deepEqual(at(":source |"), ["dir/", "setup.sql"]);
    assert.deepEqual(at(":source dir/a|"), ["dir/a.sql"]);
    assert.deepEqual(at(":run |"), ["daily"]);
    assert(at(":help substr|").some((name) => name.startsWith("SUBSTR")));
    assert.deepEqual(at(":d fl|"), ["flights"]);
    assert.deepEqual(at(":plan SELECT ori| FROM flights"), ["origin"]);
  });

  it("finds words within names, and letters in their order, when nothing begins like this", () => {
    assert.deepEqual(at("SELECT * FROM ports|"), ["airports"]);
    assert.deepEqual(at("SELECT * FROM flgt|"), ["flights"]);
  });

  it("knows what all candidates begin with", () => {
    const candidates = ["flights", "flies"].map((text) => ({ text, kind: "stream", detail: "" }) as const);
    assert.equal(commonStart({ start: 0, candidates }), "fli");
    assert.equal(commonStart({ start: 0, candidates: [] }), "");
  });

  it("offers only keywords that the lexer knows", () => {
    const known = new Set<string>([...reservedWords, ...contextualWords]);
    const texts = [
      "|",
      "SHOW |",
      "CREATE |",
      "CREATE STREAM |",
      "DROP |",
      "SELECT |",
      "SELECT a |",
      "SELECT * FROM flights |",
      "SELECT * FROM flights WHERE a |",
      "SELECT * FROM flights ORDER BY a |",
      "SELECT * FROM flights EMIT CHANGES |",
      "SELECT * FROM flights LIMIT 1 |",
    ];
    for (const marked of texts) {
      const context = cursorContext(marked.replace("|", ""), marked.indexOf("|"));
      for (const keyword of context?.keywords ?? []) {
        for (const word of keyword.replace("(", "").split(" "))
          assert(known.has(word), `${word} in ${marked}`);
      }
    }
  });

  it("complaint 26: answers any place of any text, and never throws", () => {
    const part = fc.constantFrom(
      "SELECT ",
      "FROM ",
      "flights ",
      "origin",
      ", ",
      "(",
      ")",
      "'",
      '"',
      ";",
      ":",
      "\n",
      "-- x\n",
      "/*",
      "GROUP BY ",
      "1.5 ",
      "CASE WHEN ",
      "漢",
      "WITH (",
      ".",
      "::",
      "EMIT CHANGES ",
      "JOIN ",
      "ON ",
      "UNION ",
      "WITH ",
      "AS ",
      "TUMBLE(",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), fc.nat(), (parts, place) => {
        const text = parts.join("");
        const cursor = place % (text.length + 1);
        const { start } = complete(text, cursor, sources);
        assert(start >= 0 && start <= cursor);
      }),
    );
  });
});
