import { readFile } from "node:fs/promises";
import { cpus, freemem, hostname, totalmem } from "node:os";
import type { HostCounters } from "./system.js";

/** Reads the counters of this machine; those of the network only where the kernel shows them in /proc. */
export async function readHostCounters(): Promise<HostCounters> {
  let cpuBusyMs = 0;
  let cpuTotalMs = 0;
  for (const { times } of cpus()) {
    const total = times.user + times.nice + times.sys + times.irq + times.idle;
    cpuTotalMs += total;
    cpuBusyMs += total - times.idle;
  }
  const network = await readNetwork();
  const memoryTotalBytes = totalmem();
  const memoryUsedBytes = memoryTotalBytes - freemem();
  return { host: hostname(), cpuBusyMs, cpuTotalMs, memoryUsedBytes, memoryTotalBytes, ...network };
}

async function readNetwork(): Promise<{ readonly receivedBytes: number; readonly sentBytes: number }> {
  let receivedBytes = 0;
  let sentBytes = 0;
  try {
    for (const line of (await readFile("/proc/net/dev", "utf8")).split("\n").slice(2)) {
      const [name, ...counters] = line.trim().split(/[:\s]+/);
      if (name === undefined || name === "" || name === "lo") continue;
      receivedBytes += Number(counters[0] ?? 0);
      sentBytes += Number(counters[8] ?? 0);
    }
  } catch {
    // Not on this kernel.
  }
  return { receivedBytes, sentBytes };
}
