import {
  compareTotal,
  DYNAMIC,
  type EmitMode,
  type Expression,
  type PhysicalNode,
  type PhysicalPlan,
  rowKeyText,
  type SqlValue,
} from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { call, column, dynamicTypes, literal, outputColumns } from "./plans.test.helper.js";
import type { Change } from "./run.test.helper.js";

// --- changes to come in ---

export const keys = fc.constantFrom<SqlValue>(
  null,
  1,
  { kind: "decimal", unscaled: 1n, scale: 0 },
  "1",
  "a",
  "b",
  true,
  2.5,
  9_007_199_254_740_993n,
);
export const values = fc.oneof(
  fc.integer({ min: -3, max: 9 }),
  fc.constantFrom(null, 9_007_199_254_740_991, 9_007_199_254_740_993n),
);
export const inputRow = fc.tuple(keys, values);

/** Insertions, and deletions of what is there. */
export const changes = (deletions: boolean, maxLength = 25): fc.Arbitrary<Change[]> =>
  fc
    .array(fc.record({ row: inputRow, deletes: fc.option(fc.nat(), { freq: 2 }) }), { maxLength })
    .map((steps) => {
      const present: (readonly SqlValue[])[] = [];
      return steps.map(({ row, deletes }): Change => {
        if (!deletions || deletes === null || present.length === 0) {
          present.push(row);
          return { row, weight: 1 };
        }
        const [gone = row] = present.splice(deletes % present.length, 1);
        return { row: gone, weight: -1 };
      });
    });

// --- the queries, and what they mean ---

export interface Query {
  readonly over: (source: PhysicalNode) => PhysicalNode;
  readonly width: number;
  readonly keyColumns: readonly number[];
  /** Straight from the definition, over the rows that are there. */
  readonly naive: (rows: readonly (readonly SqlValue[])[]) => SqlValue[][];
}

export const calls = [
  { function: "COUNT", args: [], distinct: false, type: DYNAMIC },
  { function: "SUM", args: [column(1)], distinct: false, type: DYNAMIC },
  { function: "MIN", args: [column(1)], distinct: false, type: DYNAMIC },
  { function: "COUNT", args: [column(1)], distinct: true, type: DYNAMIC },
  { function: "COUNT", args: [], distinct: false, type: DYNAMIC, filter: call(">", column(1), literal(2)) },
] as const;

export function naiveGroup(group: readonly (readonly SqlValue[])[]): SqlValue[] {
  const present = group.map((row) => row[1] as SqlValue).filter((value) => value !== null);
  const sum = present.reduce<bigint>((total, value) => total + BigInt(value as number | bigint), 0n);
  const asValue =
    BigInt.asIntN(54, sum) === sum && Math.abs(Number(sum)) <= Number.MAX_SAFE_INTEGER ? Number(sum) : sum;
  return [
    group.length,
    present.length === 0 ? null : asValue,
    present.reduce<SqlValue>(
      (least, value) => (least === null || compareTotal(value, least) < 0 ? value : least),
      null,
    ),
    new Set(present.map((value) => rowKeyText([value]))).size,
    present.filter((value) => compareTotal(value, 2) > 0).length,
  ];
}

export function naiveGroups(
  rows: readonly (readonly SqlValue[])[],
  keysOf: (row: readonly SqlValue[]) => SqlValue[],
): SqlValue[][] {
  const groups = new Map<string, (readonly SqlValue[])[]>();
  for (const row of rows) {
    const key = rowKeyText(keysOf(row));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => [...keysOf(group[0] ?? []), ...naiveGroup(group)]);
}

export function aggregate(
  input: PhysicalNode,
  groupBy: readonly Expression[],
  options: { appendOnly: boolean; emission: "per-record" | "per-step" },
): PhysicalNode {
  return {
    id: 1,
    kind: "aggregate",
    input,
    keys: groupBy,
    calls,
    types: dynamicTypes(groupBy.length + calls.length),
    ...options,
  };
}

export function queries(options: {
  appendOnly: boolean;
  emission: "per-record" | "per-step";
}): Record<string, Query> {
  const byKey: Query = {
    over: (source) => aggregate(source, [column(0)], options),
    width: 6,
    keyColumns: [0],
    naive: (rows) => naiveGroups(rows, (row) => [row[0] as SqlValue]),
  };
  const having = (source: PhysicalNode): PhysicalNode => {
    const input = byKey.over(source);
    const predicate = call("BETWEEN", column(1), literal(2), literal(3));
    return { id: 2, kind: "filter", input, predicate, types: input.types };
  };
  return {
    "one key": byKey,
    "two keys": {
      over: (source) => aggregate(source, [column(0), column(1)], options),
      width: 7,
      keyColumns: [0, 1],
      naive: (rows) => naiveGroups(rows, (row) => [...row]),
    },
    "no key": {
      over: (source) => aggregate(source, [], options),
      width: 5,
      keyColumns: [],
      naive: (rows) => [naiveGroup(rows)],
    },
    having: {
      ...byKey,
      over: having,
      naive: (rows) => byKey.naive(rows).filter((row) => row[1] === 2 || row[1] === 3),
    },
    "key left out": {
      over: (source) => {
        const input = byKey.over(source);
        return { id: 2, kind: "project", input, items: [column(1), column(2)], types: dynamicTypes(2) };
      },
      width: 2,
      keyColumns: [],
      naive: (rows) => byKey.naive(rows).map((row) => row.slice(1, 3)),
    },
    "filter and project": {
      over: (source) => {
        const input: PhysicalNode = {
          id: 1,
          kind: "filter",
          input: source,
          predicate: call("=", column(1), literal(3)),
          types: dynamicTypes(2),
        };
        return {
          id: 2,
          kind: "project",
          input,
          items: [column(1), call("IS NULL", column(0))],
          types: dynamicTypes(2),
        };
      },
      width: 2,
      keyColumns: [],
      naive: (rows) => rows.filter((row) => row[1] === 3).map((row) => [3, row[0] === null]),
    },
  };
}

export function planOf(query: Query, emit: EmitMode, appendOnly: boolean): PhysicalPlan {
  const source: PhysicalNode = { id: 0, kind: "source", source: 0, types: dynamicTypes(2) };
  const names = Array.from({ length: query.width }, (_, i) => `c${i}`);
  return {
    sources: [
      {
        kind: "rows",
        relation: "view",
        name: "r",
        id: "1",
        columns: [0, 1],
        types: dynamicTypes(2),
        appendOnly,
      },
    ],
    root: query.over(source),
    output: outputColumns(...names),
    emit,
  };
}

export function present(list: readonly Change[]): SqlValue[][] {
  const rows: (readonly SqlValue[])[] = [];
  for (const { row, weight } of list) {
    if (weight > 0) rows.push(row);
    else
      rows.splice(
        rows.findIndex((other) => rowKeyText(other) === rowKeyText(row)),
        1,
      );
  }
  return rows.map((row) => [...row]);
}

export const asKeys = (rows: readonly (readonly SqlValue[])[]): string[] =>
  rows.map((row) => rowKeyText(row)).sort();
export const cuts = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 3 }),
  stepRowsMax: fc.integer({ min: 2, max: 9 }),
});
