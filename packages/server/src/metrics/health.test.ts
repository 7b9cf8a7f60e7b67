import assert from "node:assert/strict";
import { limits } from "../limits.js";
import { Health } from "./health.js";

describe("health", () => {
  it("forgets a full disk when an append worked, or when nobody has tried for a while", () => {
    const health = new Health();
    assert.equal(health.illness(0), undefined);
    health.diskFull(5);
    assert.equal(health.illness(6), "the disk is full");
    health.worked();
    assert.equal(health.illness(7), undefined);
    health.diskFull(8);
    assert.equal(health.illness(7 + limits.diskFullRememberedMs), "the disk is full");
    assert.equal(health.illness(8 + limits.diskFullRememberedMs), undefined);
  });

  it("never forgets that the log has failed", () => {
    const health = new Health();
    health.logFailed();
    health.worked();
    assert.match(String(health.illness(1e9)), /restart/);
  });
});
