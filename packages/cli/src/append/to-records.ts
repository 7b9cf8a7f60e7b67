import type { JsonObject, JsonValue, RecordInput } from "@hstream/client";
import { type CsvRow, readCsv } from "./read-csv.js";
import { BadInput, readLines, type SourceLine } from "./read-lines.js";

export const inputFormats = ["auto", "ndjson", "csv", "lines"] as const;
export type InputFormat = (typeof inputFormats)[number];

export interface RecordToAppend {
  readonly line: number;
  readonly record: RecordInput;
  readonly key: string;
}

export interface ToRecords {
  readonly format: InputFormat;
  /** Between a key and its record: `key@{…}`. */
  readonly separator: string;
  /** The field whose value is the key. */
  readonly keyField: string | undefined;
}

/** The records of a source, in batches. Throws BadInput at the first that is none, after those before it. */
export async function* toRecords(
  source: AsyncIterable<Uint8Array | string>,
  options: ToRecords,
): AsyncGenerator<readonly RecordToAppend[]> {
  const lines = readLines(source);
  if (options.format === "csv") {
    yield* fromCsv(readCsv(lines), options);
    return;
  }
  for await (const batch of lines) {
    const records: RecordToAppend[] = [];
    try {
      for (const line of batch) {
        const record = fromLine(line, options);
        if (record !== undefined) records.push(record);
      }
    } catch (error) {
      // What came before is kept.
      yield records;
      throw error;
    }
    yield records;
  }
}

function fromLine({ line, text }: SourceLine, options: ToRecords): RecordToAppend | undefined {
  if (text === "" || text.trim() === "") return undefined;
  const { separator, format } = options;
  if (format === "lines") {
    const at = separator === "" ? -1 : text.indexOf(separator);
    const body = at < 0 ? text : text.slice(at + separator.length);
    return { line, record: Buffer.from(body), key: at < 0 ? "" : text.slice(0, at) };
  }
  const json = text.trimStart();
  if (json.startsWith("{")) return withKey(line, parseObject(json, line), "", options);
  const at = separator === "" ? -1 : text.indexOf(`${separator}{`);
  if (at >= 0) {
    return withKey(line, parseObject(text.slice(at + separator.length), line), text.slice(0, at), options);
  }
  throw new BadInput(line, `it is no JSON object; --format lines takes any text (${excerpt(text)})`);
}

function withKey(line: number, record: JsonObject, key: string, { keyField }: ToRecords): RecordToAppend {
  if (keyField === undefined) return { line, record, key };
  const value = record[keyField];
  if (value === undefined || value === null)
    throw new BadInput(line, `it has no field "${keyField}" for the key`);
  return { line, record, key: typeof value === "string" ? value : JSON.stringify(value) };
}

function parseObject(text: string, line: number): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BadInput(line, `${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new BadInput(line, "it is no JSON object");
}

async function* fromCsv(
  rows: AsyncIterable<readonly CsvRow[]>,
  options: ToRecords,
): AsyncGenerator<readonly RecordToAppend[]> {
  let names: readonly string[] | undefined;
  for await (const batch of rows) {
    const records: RecordToAppend[] = [];
    for (const { line, cells } of batch) {
      if (names === undefined) {
        names = header(cells, line);
        continue;
      }
      if (cells.length !== names.length) {
        yield records;
        throw new BadInput(line, `it has ${cells.length} cells, the header has ${names.length}`);
      }
      const record: Record<string, JsonValue> = {};
      for (const [place, name] of names.entries()) {
        const cell = cells[place];
        if (cell !== undefined) record[name] = typeof cell === "string" ? cellValue(cell) : cell.quoted;
      }
      records.push(withKey(line, record, "", options));
    }
    yield records;
  }
}

function header(cells: CsvRow["cells"], line: number): readonly string[] {
  const names = cells.map((cell) =>
    cell === undefined ? "" : typeof cell === "string" ? cell.trim() : cell.quoted,
  );
  if (names.includes("")) throw new BadInput(line, "a column of the header has no name");
  if (new Set(names).size < names.length) throw new BadInput(line, "two columns of the header have one name");
  return names;
}

/** Numbers that lose nothing and the words true and false; all else is a text. */
function cellValue(cell: string): JsonValue {
  if (cell === "true") return true;
  if (cell === "false") return false;
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(cell) && cell.length <= 16 ? Number(cell) : cell;
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 30 ? `${text.slice(0, 30)}…` : text);
}
