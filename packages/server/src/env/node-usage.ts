/** What a process takes of its machine. */
export interface NodeUsage {
  /** Since its start, all threads. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

export function nodeUsage(): NodeUsage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, memoryBytes: process.memoryUsage.rss() };
}
