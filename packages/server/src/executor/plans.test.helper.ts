import { encodeHRecord, encodeRecordBatch, type HInputObject, must, type RecordParts } from "@hstream/proto";
import {
  type Expression,
  type OutputColumn,
  type PhysicalNode,
  type PhysicalPlan,
  DYNAMIC,
  type SqlType,
  type SqlValue,
} from "@hstream/sql/runtime";
import type { RecordBatchInput } from "./step-input.js";

/** Plans and stored batches for tests, without parser and log. */

export function column(index: number, type: SqlType = DYNAMIC): Expression {
  return { kind: "column", index, name: `c${index}`, type };
}

export function literal(value: SqlValue, type: SqlType = DYNAMIC): Expression {
  return { kind: "literal", value, type };
}

export function call(name: string, ...args: Expression[]): Expression {
  return { kind: "call", function: name, args, type: DYNAMIC };
}

export function dynamicTypes(width: number): SqlType[] {
  return new Array<SqlType>(width).fill(DYNAMIC);
}

export function outputColumns(...names: string[]): OutputColumn[] {
  return names.map((name) => ({ name, type: DYNAMIC, spread: false }));
}

/** A plan over one stream, of which the fields are read as dynamic columns. */
export function streamPlan(
  fields: readonly string[],
  over: (source: PhysicalNode) => PhysicalNode,
  rest: Pick<PhysicalPlan, "emit" | "output"> & { readonly emitLimit?: number },
): PhysicalPlan {
  const columns = fields.map((name) => ({ kind: "field", name, type: DYNAMIC }) as const);
  const source: PhysicalNode = { id: 0, kind: "source", source: 0, types: dynamicTypes(fields.length) };
  return { sources: [{ kind: "stream", name: "s", id: "1", columns }], root: over(source), ...rest };
}

/** COUNT(*) and SUM of a column, by the given keys. */
export function aggregateNode(
  input: PhysicalNode,
  keys: readonly Expression[],
  options: { appendOnly: boolean; emission: "per-record" | "per-step" },
  sumOf?: Expression,
): PhysicalNode {
  const calls = [
    { function: "COUNT", args: [], distinct: false, type: DYNAMIC },
    ...(sumOf === undefined ? [] : [{ function: "SUM", args: [sumOf], distinct: false, type: DYNAMIC }]),
  ];
  const types = dynamicTypes(keys.length + calls.length);
  return { id: input.id + 1, kind: "aggregate", input, keys, calls, types, ...options };
}

export function hrecord(fields: HInputObject): RecordParts {
  const payload = encodeHRecord(fields);
  return {
    flag: 0,
    key: "",
    payload: must(payload instanceof Uint8Array ? payload : undefined, "fields can be stored"),
  };
}

export function recordBatch(
  records: readonly RecordParts[],
  overrides: Partial<RecordBatchInput> = {},
): RecordBatchInput {
  const payload = encodeRecordBatch(records);
  return {
    shardId: 1,
    batchId: 1,
    timeMs: 1000,
    recordCount: records.length,
    compression: 0,
    payload,
    ...overrides,
  };
}

export function storedBatch(
  records: readonly HInputObject[],
  overrides: Partial<RecordBatchInput> = {},
): RecordBatchInput {
  return recordBatch(records.map(hrecord), overrides);
}
