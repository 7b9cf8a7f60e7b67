import assert from "node:assert/strict";
import {
  bindStatement,
  type Catalog,
  optimise,
  parseScript,
  type Relation,
  STRING,
  INTEGER,
  toPhysical,
} from "@hstream/sql";
import { lookedUpKey } from "./point-look-up.js";

const columns = [
  { name: "k", type: STRING },
  { name: "g", type: INTEGER },
  { name: "n", type: INTEGER },
];
const view: Relation = { kind: "view", id: "v", name: "v", columns, open: false, appendOnly: false };
const catalog: Catalog = {
  relation: (name) => (name === "v" ? view : undefined),
  relationNames: () => ["v"],
};

function keyOf(sql: string, key: readonly number[]) {
  const [statement] = parseScript(sql).statements;
  assert.ok(statement !== undefined);
  const { bound } = bindStatement(statement, catalog);
  assert.ok(bound?.kind === "query");
  const plan = toPhysical(optimise(bound.query));
  return plan.sources.map((_, source) => lookedUpKey(plan, source, key));
}

describe("a look-up of one row of a view", () => {
  it("is seen where all key columns equal literals, in any order and beside other conditions", () => {
    assert.deepEqual(keyOf("SELECT n FROM v WHERE k = 'x';", [0]), [["x"]]);
    assert.deepEqual(keyOf("SELECT * FROM v WHERE n > 3 AND 7 = g AND k = 'x';", [0, 1]), [["x", 7]]);
    assert.deepEqual(keyOf("SELECT COUNT(*) FROM v WHERE k = 'x' AND g = 7;", [1, 0]), [[7, "x"]]);
  });

  it("is not where other rows may be needed", () => {
    for (const sql of [
      "SELECT n FROM v;",
      "SELECT n FROM v WHERE k = 'x' OR n = 1;",
      "SELECT n FROM v WHERE k > 'x';",
      "SELECT n FROM v WHERE g = 7;",
      "SELECT n FROM v WHERE k = NULL;",
      "SELECT a.n FROM v AS a JOIN v AS b ON a.n = b.n WHERE a.k = 'x';",
    ]) {
      assert.ok(
        keyOf(sql, [0]).every((key) => key === undefined || sql.includes("JOIN")),
        sql,
      );
    }
    assert.deepEqual(keyOf("SELECT n FROM v WHERE k = 'x';", []), [undefined]);
    assert.deepEqual(keyOf("SELECT n FROM v WHERE k = 'x' UNION ALL SELECT n FROM v WHERE k = 'y';", [0]), [
      undefined,
    ]);
  });
});
