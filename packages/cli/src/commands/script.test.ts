import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { cutScript } from "./script.js";

describe("a script", () => {
  it("is cut between statements, and its parts are the script again", async () => {
    const statement = fc.oneof(
      fc.constant("SELECT ';' FROM t;"),
      fc.constant("-- a; comment\nSELECT 1\\G"),
      fc.nat(200_000).map((length) => `INSERT INTO t (a) VALUES ('${"é".repeat(length)}');`),
      fc.constant("\n\n"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(statement, { maxLength: 8 }), async (statements) => {
        const script = statements.join("\n");
        const parts = await cutScript(script);
        if (script.trim() !== "") assert.equal(parts.map(({ text }) => text).join(""), script);
        for (const { text } of parts) {
          assert(Buffer.byteLength(text) <= 1_048_576);
          assert.match(text, /^[^]*(;|\\G)\s*$/);
        }
      }),
      { numRuns: runs(40) },
    );
  });

  it("knows its lines and which statements print rows down", async () => {
    const [only] = await cutScript("SELECT 1;\nSELECT 2\\G SELECT 3;");
    assert.deepEqual(only?.vertical, [false, true, false]);
    const long = `SELECT '${"x".repeat(300_000)}';\n`;
    const parts = await cutScript(long.repeat(3));
    assert.deepEqual(
      parts.map(({ linesBefore }) => linesBefore),
      [0, 1, 2],
    );
  });

  it("asks the server for nodes where the shell would be asked", async () => {
    const [part] = await cutScript("SELECT 'show nodes' AS a; show  NODES; SELECT 2;");
    assert.equal(part?.text, "SELECT 'show nodes' AS a; SELECT * FROM nodes; SELECT 2;");
  });
});
