import type { JsonObject } from "@hstream/client";
import type { HostCounters, System } from "../system/system.js";
import type { DataSource } from "./data-source.js";

const sampleEveryMs = 250;

/** The load of this machine, four times a second. */
export function hostMetrics(system: System): DataSource {
  return {
    title: "the load of this machine, four samples a second",
    stream: "host",
    endless: true,
    records: (signal) => sample(system, signal),
    view: {
      name: "host_load",
      sql: "CREATE VIEW host_load AS SELECT host, COUNT(*) AS samples, AVG(cpu_percent) AS mean_cpu, MAX(cpu_percent) AS peak_cpu FROM host GROUP BY host;",
    },
    watch: "SELECT time, cpu_percent, memory_percent FROM host EMIT CHANGES;",
    report: {
      title: "This machine in the last seconds",
      sql: "SELECT host, COUNT(*) AS samples, AVG(cpu_percent) AS mean_cpu, MAX(cpu_percent) AS peak_cpu, MAX(memory_percent) AS peak_memory FROM host GROUP BY host;",
    },
    suggestions: [
      ":chart line SELECT host, AVG(cpu_percent) AS cpu FROM TUMBLE(host, INTERVAL 1 SECOND) GROUP BY host EMIT FINAL;",
      "SELECT time, cpu_percent, memory_percent FROM host EMIT CHANGES;",
      "SELECT host, samples, mean_cpu, peak_cpu FROM host_load;",
    ],
  };
}

async function* sample(system: System, signal: AbortSignal): AsyncGenerator<readonly JsonObject[]> {
  let before = await system.hostCounters();
  let at = system.uptime();
  while (!signal.aborted) {
    await system.sleep(sampleEveryMs, signal);
    const now = await system.hostCounters();
    const seconds = (system.uptime() - at) / 1_000;
    at = system.uptime();
    yield [toRecord(before, now, seconds, system.now())];
    before = now;
  }
}

/** What happened between two readings of the counters. */
export function toRecord(before: HostCounters, now: HostCounters, seconds: number, time: number): JsonObject {
  const busy = now.cpuBusyMs - before.cpuBusyMs;
  const total = now.cpuTotalMs - before.cpuTotalMs;
  const perSecond = (bytes: number) => Math.round(Math.max(0, bytes) / Math.max(seconds, 0.001));
  return {
    time: new Date(time).toISOString(),
    host: now.host,
    cpu_percent: total > 0 ? round((100 * busy) / total) : 0,
    memory_percent: round((100 * now.memoryUsedBytes) / now.memoryTotalBytes),
    received_per_s: perSecond(now.receivedBytes - before.receivedBytes),
    sent_per_s: perSecond(now.sentBytes - before.sentBytes),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
