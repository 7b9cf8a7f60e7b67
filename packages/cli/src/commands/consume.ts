import type { ConsumedRecord } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { type Cell, pageOf } from "../output/page.js";
import { resultWriter } from "../output/result-writer.js";
import type { StopSignal } from "../system/system.js";
import type { ConsumeFlags } from "../tree/subscription-data-tree.js";
import { type CommandContext, withClient } from "./context.js";

const columns = ["id", "key", "published_at", "value"] as const;

/** `hstream subscription consume`: prints records as they come; what is printed is acknowledged. */
export async function consume(context: CommandContext, name: string, flags: ConsumeFlags): Promise<ExitCode> {
  const { system } = context;
  const stop = new AbortController();
  let signal: StopSignal | undefined;
  const stopListening = system.onSignal((received) => {
    signal = received;
    stop.abort();
  });
  let cancelTimeout: (() => void) | undefined;
  const arm = () => {
    cancelTimeout?.();
    if (flags.timeout !== undefined)
      cancelTimeout = system.schedule(flags.timeout * 1_000, () => stop.abort());
  };
  try {
    await withClient(context, async (client) => {
      // Without this a consumer of nothing would wait for ever.
      await client.subscriptions.get(name);
      const consumer = client.consume(name, {
        signal: stop.signal,
        ...(flags.consumer === undefined ? {} : { consumerName: flags.consumer }),
      });
      const print = printer(context);
      let left = flags.limit ?? Number.POSITIVE_INFINITY;
      arm();
      for await (const batch of consumer.batches()) {
        const taken = batch.slice(0, left);
        await print(taken);
        if (flags.ack) for (const record of taken) record.ack();
        left -= taken.length;
        if (left <= 0) break;
        arm();
      }
    });
  } finally {
    cancelTimeout?.();
    stopListening();
  }
  if (signal === undefined) return exitCodes.ok;
  return signal === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
}

function printer(context: CommandContext): (records: readonly ConsumedRecord[]) => Promise<void> {
  const { stdout, stderr } = context.system;
  const { format } = context;
  if (format === "json" || format === "ndjson") {
    return async (records) => {
      if (records.length > 0) await stdout.write(`${records.map(recordJson).join("\n")}\n`);
    };
  }
  const writer = resultWriter(format, {
    write: stdout.write,
    warn: (text) => void stderr.write(`${text}\n`),
    columns: stdout.columns,
    rows: stdout.rows,
    // Rows come one after the other, as those of a push query do.
    changes: format === "table",
  });
  return async (records) => {
    const rows = records.map((record): readonly Cell[] => [
      record.id,
      record.key,
      record.publishedAt?.toISOString(),
      record.json === undefined ? text(record.payload) : JSON.stringify(record.json),
    ]);
    await writer.page(pageOf(columns, rows));
  };
}

function recordJson(record: ConsumedRecord): string {
  const { id, key, json, payload, publishedAt, attributes } = record;
  const value = json === undefined ? rawValue(payload) : { value: json };
  const others = attributes.size > 0 ? { attributes: Object.fromEntries(attributes) } : {};
  return JSON.stringify({ id, key, published_at: publishedAt?.toISOString() ?? null, ...others, ...value });
}

function rawValue(payload: Uint8Array): object {
  const decoded = decodeText(payload);
  return decoded === undefined ? { base64: Buffer.from(payload).toString("base64") } : { text: decoded };
}

function text(payload: Uint8Array): string {
  return decodeText(payload) ?? `base64:${Buffer.from(payload).toString("base64")}`;
}

/** undefined for bytes that are no text. */
function decodeText(payload: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    return undefined;
  }
}
