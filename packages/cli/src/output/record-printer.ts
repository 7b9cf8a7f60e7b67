import type { ReceivedRecord } from "@hstream/client";
import type { CommandContext } from "../commands/context.js";
import { type Cell, pageOf } from "./page.js";
import { resultWriter } from "./result-writer.js";

const columns = ["id", "key", "published_at", "value"] as const;

export interface RecordPrinter {
  readonly print: (records: readonly ReceivedRecord<unknown>[]) => Promise<void>;
  /** After the last records. */
  readonly end: () => Promise<void>;
}

/** Prints records one after the other, in the format that was asked for. */
export function recordPrinter(context: CommandContext): RecordPrinter {
  const { stdout, stderr } = context.system;
  const { format } = context;
  if (format === "json" || format === "ndjson") {
    return {
      print: async (records) => {
        if (records.length > 0) await stdout.write(`${records.map(recordJson).join("\n")}\n`);
      },
      end: async () => {},
    };
  }
  const writer = resultWriter(format, {
    write: stdout.write,
    warn: (text) => void stderr.write(`${text}\n`),
    columns: stdout.columns,
    rows: stdout.rows,
    // Rows come one after the other, as those of a push query do; what is printed shall not wait for more.
    changes: format === "table",
  });
  return {
    print: (records) => writer.page(pageOf(columns, records.map(cellsOf))),
    end: () => writer.end(columns),
  };
}

function cellsOf(record: ReceivedRecord<unknown>): readonly Cell[] {
  const { id, publishedAt } = record;
  const at = publishedAt?.toISOString();
  const problem = problemOf(record);
  if (problem !== undefined) return [id, null, at, problem];
  const { key, json, payload } = record;
  return [id, key, at, json === undefined ? text(payload) : JSON.stringify(json)];
}

function recordJson(record: ReceivedRecord<unknown>): string {
  const { id, publishedAt } = record;
  const at = publishedAt?.toISOString() ?? null;
  const problem = problemOf(record);
  if (problem !== undefined) return JSON.stringify({ id, key: null, published_at: at, error: problem });
  const { key, json, payload, attributes } = record;
  const value = json === undefined ? rawValue(payload) : { value: json };
  const others = attributes.size > 0 ? { attributes: Object.fromEntries(attributes) } : {};
  return JSON.stringify({ id, key, published_at: at, ...others, ...value });
}

/** Why a record cannot be read; one bad record is no reason to keep the others back. */
function problemOf(record: ReceivedRecord<unknown>): string | undefined {
  try {
    void record.json;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
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
