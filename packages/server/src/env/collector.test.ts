import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Full collections of a process with 16 MB of objects while 1 GB of messages come and go, 25 MB of them at a time. */
async function collections(first: string): Promise<number> {
  const script = `
    import { PerformanceObserver, constants } from "node:perf_hooks";
    ${first}
    let full = 0;
    const count = (entries) => {
      for (const { detail } of entries) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++;
    };
    const observer = new PerformanceObserver((list) => count(list.getEntries()));
    observer.observe({ entryTypes: ["gc"] });
    globalThis.alive = Array.from({ length: 200_000 }, (_, i) => ({ i, text: [i] }));
    const messages = new Array(250);
    for (let i = 0; i < 10_000; i++) {
      messages[i % 250] = Buffer.alloc(100_000);
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    count(observer.takeRecords());
    console.log(full);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  return Number(stdout);
}

describe("the collector of garbage", () => {
  it("has less to do while messages come and go once it is relaxed", async () => {
    const module = JSON.stringify(new URL("collector.js", import.meta.url).href);
    let relaxed = 0;
    let plain = 0;
    for (let round = 0; round < 2; round++) {
      relaxed += await collections(`import { relaxCollector } from ${module}; relaxCollector();`);
      plain += await collections("");
    }
    assert.ok(relaxed < plain, `${relaxed} full collections instead of ${plain}`);
  });
});
