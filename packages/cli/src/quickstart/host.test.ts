import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readHostCounters } from "../system/host-counters.js";
import { processSystem } from "../system/process-system.js";
import { hostMetrics, toRecord } from "./host.js";

describe("samples of the machine", () => {
  it("are what happened between two readings", () => {
    const before = {
      host: "h",
      cpuBusyMs: 100,
      cpuTotalMs: 1_000,
      memoryUsedBytes: 5,
      memoryTotalBytes: 10,
      receivedBytes: 1_000,
      sentBytes: 0,
    };
    const now = {
      ...before,
      cpuBusyMs: 350,
      cpuTotalMs: 1_500,
      memoryUsedBytes: 2,
      receivedBytes: 1_500,
      sentBytes: 50,
    };
    assert.deepEqual(toRecord(before, now, 0.25, 0), {
      time: "1970-01-01T00:00:00.000Z",
      host: "h",
      cpu_percent: 50,
      memory_percent: 20,
      received_per_s: 2_000,
      sent_per_s: 200,
    });
    assert.equal(toRecord(before, before, 0, 0)["cpu_percent"], 0);
  });

  it("leave no listener at the signal, however many are taken", async () => {
    const stop = new AbortController();
    const system = {
      ...processSystem(),
      sleep: (_: number, signal: AbortSignal) => processSystem().sleep(0, signal),
    };
    let batches = 0;
    for await (const batch of hostMetrics(system).records(stop.signal)) {
      batches += batch.length;
      assert(getEventListeners(stop.signal, "abort").length <= 1);
      if (batches === 40) stop.abort();
    }
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  });

  it("come from counters that this machine has", async () => {
    const counters = await readHostCounters();
    assert(counters.cpuTotalMs > 0 && counters.cpuBusyMs <= counters.cpuTotalMs);
    assert(counters.memoryUsedBytes > 0 && counters.memoryUsedBytes <= counters.memoryTotalBytes);
  });
});
