import assert from "node:assert/strict";
import { optimise } from "../optimize/optimise.js";
import { explain } from "../physical/explain.js";
import { bindQuery } from "../testing/bind-text.js";

describe("EMIT over a system table", () => {
  it("asks again and again, for the whole answer or for what has changed in it", () => {
    const polling = (text: string) => bindQuery(text).polling;
    assert.deepEqual(polling("SELECT name FROM streams EMIT EVERY INTERVAL 5 SECOND"), {
      everyMs: 5_000,
      show: "answers",
    });
    assert.deepEqual(polling("SELECT name FROM streams EMIT CHANGES"), { everyMs: 1_000, show: "changes" });
    assert.deepEqual(polling("SELECT name FROM streams EMIT CHANGES WITH RETRACTIONS"), {
      everyMs: 1_000,
      show: "changes",
    });
    assert.equal(polling("SELECT name FROM streams"), undefined);
    assert.equal(polling("SELECT a FROM flights EMIT CHANGES"), undefined);
  });

  it("may be ordered and limited, as each answer is finite", () => {
    const query = bindQuery("SELECT name FROM streams ORDER BY name LIMIT 3 EMIT EVERY INTERVAL 1 SECOND");
    assert.equal(query.emit.kind, "pull");
    assert.equal(query.emitLimit, undefined);
    assert.equal(optimise(query).polling?.everyMs, 1_000);
    assert.match(explain({ kind: "query", query }), /Emits: the whole answer every 1000 ms$/);
  });
});
