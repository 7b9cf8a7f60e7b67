import assert from "node:assert/strict";
import { bindQuery } from "../testing/bind-text.js";
import { checkPass, planAfter } from "../testing/pass-oracle.js";
import { chooseAppendOnly } from "./choose-append-only.js";
import { optimise } from "./optimise.js";

describe("append-only aggregates", () => {
  it("changes no answer", () => checkPass("choose append-only", (plan) => chooseAppendOnly(plan, true)));

  it("are chosen over streams, and over views only when these are read once", () => {
    const over = (relation: string, finite: boolean): boolean =>
      planAfter(`SELECT COUNT(*) FROM ${relation}`, (plan) => chooseAppendOnly(plan, finite)).some((line) =>
        line.endsWith("append-only"),
      );
    assert.deepEqual(
      [over("flights", true), over("flights", false), over("per_origin", true), over("per_origin", false)],
      [true, true, true, false],
    );
  });

  it("depend on how the query emits", () => {
    const push = optimise(bindQuery("SELECT COUNT(*) FROM per_origin EMIT CHANGES"));
    assert.equal(
      push.passes.some((record) => record.pass === "choose append-only"),
      false,
    );
  });
});
