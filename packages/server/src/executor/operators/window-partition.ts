import type { SqlValue } from "@hstream/sql/runtime";
import type { OrderedRow } from "./ordered-rows.js";
import type { CompiledSortKey } from "./sort.js";

/** A row with the values of each call's arguments, and whether the call's FILTER lets it in. */
export interface WindowRow extends OrderedRow {
  readonly args: readonly (readonly SqlValue[])[];
  readonly filters: readonly boolean[];
}

/** A partition's rows in order, each as often as it has copies. */
export interface WindowPartition {
  readonly rows: readonly WindowRow[];
  /** Of each row, the first one of its peers. */
  readonly peers: Int32Array;
  /** Where each group of peers begins. */
  readonly groups: readonly number[];
  readonly keys: readonly CompiledSortKey[];
}
