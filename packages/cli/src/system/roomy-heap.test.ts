import assert from "node:assert/strict";
import { keepHeapRoomy } from "./roomy-heap.js";

describe("the heap of a server", () => {
  it("has room to grow while the process is small, and what V8 gives it otherwise", () => {
    const flags: string[] = [];
    let bytes = 100 * 1_048_576;
    let check = () => {};
    let checking = true;
    const leave = keepHeapRoomy({
      residentBytes: () => bytes,
      setFlags: (text) => flags.push(text),
      every: (_, call) => {
        check = call;
        return () => (checking = false);
      },
    });
    check();
    assert.deepEqual(flags, ["--heap-growing-percent=200"]);
    bytes = 600 * 1_048_576;
    check();
    check();
    assert.deepEqual(flags.splice(0).slice(1), ["--heap-growing-percent=0"]);
    bytes = 200 * 1_048_576;
    check();
    leave();
    assert.deepEqual(flags, ["--heap-growing-percent=200", "--heap-growing-percent=0"]);
    assert.equal(checking, false);
  });
});
