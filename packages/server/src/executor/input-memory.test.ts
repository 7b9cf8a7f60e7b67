import assert from "node:assert/strict";
import { limits } from "../limits.js";
import { InputMemory } from "./input-memory.js";

describe("memory for input", () => {
  it("is shared between threads, and given out part by part until a block is used up", () => {
    const lease = new InputMemory().lease();
    const [first, second] = [lease.take(100), lease.take(limits.readBytesMax)];
    assert.ok(first?.buffer instanceof SharedArrayBuffer);
    assert.equal(second?.buffer, first.buffer);
    first.fill(1);
    second.fill(2);
    assert.ok(first.every((byte) => byte === 1));
    assert.equal(lease.take(limits.readBytesMax), undefined);
    assert.equal(lease.take(10)?.length, 10);
  });

  it("is used again once it was released, not before", () => {
    const memory = new InputMemory();
    const [one, other] = [memory.lease(), memory.lease()];
    const block = one.take(1)?.buffer;
    assert.notEqual(other.take(1)?.buffer, block);
    one.release();
    assert.throws(() => one.take(1), /released/);
    assert.throws(() => one.release(), /once/);
    assert.equal(memory.lease().take(1)?.buffer, block);
  });

  it("keeps no more blocks than it may", () => {
    const memory = new InputMemory();
    const leases = Array.from({ length: limits.inputBlocksKept + 3 }, () => memory.lease());
    const blocks = new Set(leases.map((lease) => lease.take(1)?.buffer));
    assert.equal(blocks.size, leases.length);
    for (const lease of leases) lease.release();
    const again = leases.filter(() => blocks.has(memory.lease().take(1)?.buffer));
    assert.equal(again.length, limits.inputBlocksKept);
  });
});
