import type { HStreamClient } from "@hstream/client";
import type { ExitCode } from "../exit-codes.js";
import type { Cell } from "../output/page.js";
import type { BenchFlags } from "../tree/bench-tree.js";
import { type CommandContext, printList, withClient } from "./context.js";
import { WorkProgress } from "./work-progress.js";

const columns = ["case", "count", "seconds", "per_second", "mib_per_second", "p50_ms", "p99_ms"];

/** `hstream bench`: how long round trips take, and how fast records are stored and read. */
export function bench(context: CommandContext, flags: BenchFlags): Promise<ExitCode> {
  const { system } = context;
  return withClient(context, async (client) => {
    const stream = `hstream-bench-${Math.floor(system.now()).toString(36)}`;
    await client.streams.create(stream, { shardCount: flags.shards, backlogDuration: 3_600 });
    const rows: (readonly Cell[])[] = [];
    try {
      rows.push(await timeEchoes(context, client, flags.echoes));
      rows.push(await timeAppends(context, client, stream, flags));
      rows.push(await timeReading(context, client, stream, flags));
    } finally {
      await client.streams.delete(stream, { force: true });
    }
    await printList(context, columns, rows);
  });
}

async function timeEchoes(
  { system }: CommandContext,
  client: HStreamClient,
  count: number,
): Promise<readonly Cell[]> {
  const latencies: number[] = [];
  const started = system.uptime();
  for (let turn = 0; turn < count; turn += 1) {
    const at = system.uptime();
    await client.echo("");
    latencies.push(system.uptime() - at);
  }
  return row("round trip", count, system.uptime() - started, undefined, latencies);
}

/** Batches one after the other, each durable before the next; the latency is that of a batch. */
async function timeAppends(
  context: CommandContext,
  client: HStreamClient,
  stream: string,
  flags: BenchFlags,
): Promise<readonly Cell[]> {
  const { system } = context;
  const progress = new WorkProgress(context, "auto", false);
  const record = new Uint8Array(flags.size).fill(120);
  const latencies: number[] = [];
  const started = system.uptime();
  for (let left = flags.records, turn = 0; left > 0; left -= flags.batch, turn += 1) {
    const records = new Array<Uint8Array>(Math.min(left, flags.batch)).fill(record);
    const at = system.uptime();
    await client.append(stream, records, { key: `k${turn}` });
    latencies.push(system.uptime() - at);
    progress.add(records.length);
  }
  progress.end();
  return row("append", flags.records, system.uptime() - started, flags.size, latencies);
}

async function timeReading(
  context: CommandContext,
  client: HStreamClient,
  stream: string,
  flags: BenchFlags,
): Promise<readonly Cell[]> {
  const { system } = context;
  const progress = new WorkProgress(context, "auto", false);
  const started = system.uptime();
  let count = 0;
  for await (const batch of client.read(stream, { until: "latest" }).batches()) {
    count += batch.length;
    progress.add(batch.length);
  }
  progress.end();
  return row("read", count, system.uptime() - started, flags.size, []);
}

function row(
  name: string,
  count: number,
  ms: number,
  size: number | undefined,
  latencies: readonly number[],
): readonly Cell[] {
  const seconds = Math.max(0.001, ms / 1_000);
  const sorted = [...latencies].sort((a, b) => a - b);
  const quantile = (q: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    return value === undefined ? null : round(value);
  };
  const volume = size === undefined ? null : round((count * size) / seconds / 1_048_576);
  return [name, count, round(seconds), Math.round(count / seconds), volume, quantile(0.5), quantile(0.99)];
}

/** Three significant digits. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}
