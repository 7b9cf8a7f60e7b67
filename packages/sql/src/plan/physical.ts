import { unreachable } from "@hstream/proto";
import type { SqlType } from "../types/sql-type.js";
import type { AggregateCall, Expression, SortKey, WindowCall } from "./expression.js";

/**
 * What the executor runs. Plain data: it is sent to another thread and printed by EXPLAIN.
 * Operators pass changes (row, weight) upwards; `types` are the types of an operator's output columns.
 * Rows are equal when their exact keys are (encodeRowKey): NULL is then like NULL, and 1 like 1.0.
 */
export interface PhysicalPlan {
  /** A relation that is read twice with the same columns is one source that two nodes read. */
  readonly sources: readonly PlanSource[];
  /** Parts that several nodes read, each run once; one reads only those before it. */
  readonly shared?: readonly PhysicalNode[];
  readonly root: PhysicalNode;
  /** One for each output column of `root`. */
  readonly output: readonly OutputColumn[];
  readonly emit: EmitMode;
  /** Ends a query without end after so many emitted changes. */
  readonly emitLimit?: number;
}

export type EmitMode =
  /** A finite input, a finite answer. */
  | { readonly kind: "pull" }
  /** One row per input record and touched group; an update is its new state. */
  | { readonly kind: "changes" }
  /** Changes of one step may be merged (views). */
  | { readonly kind: "coalesced" }
  /** Every −/+ pair. */
  | { readonly kind: "retractions" }
  /** The rows of a window once, when the watermark closes it. */
  | { readonly kind: "final" }
  /** At each multiple of the interval, the latest state of the rows that have changed since. */
  | { readonly kind: "every"; readonly intervalMs: number };

export interface OutputColumn {
  readonly name: string;
  readonly type: SqlType;
  /** The value is a whole record (SqlObject) and stands for its fields: SELECT * without columns. */
  readonly spread: boolean;
  /** Of a spread: each field is called `prefix.field`, as several records meet in the row. */
  readonly prefix?: string;
}

export type PlanSource =
  /** Stored records, which the executor decodes; only the columns that the query reads. */
  | {
      readonly kind: "stream";
      readonly name: string;
      readonly id: string;
      readonly columns: readonly ScanColumn[];
      /** Where something above needs the records' times. Records without one are diverted. */
      readonly time?: SourceTime;
      /** A record may say that a row is gone, with the attribute hstream.op = delete: it is a -1 of that row. */
      readonly deletions?: boolean;
    }
  /** Rows of a view or a system table, handed over decoded; `columns` are indexes into the relation's. */
  | {
      readonly kind: "rows";
      /** A table's rows are what the system knows at the moment of asking. */
      readonly relation: "view" | "table";
      readonly name: string;
      readonly id: string;
      readonly columns: readonly number[];
      readonly types: readonly SqlType[];
      /** Whether only insertions can come (system tables read once, append-only views). */
      readonly appendOnly: boolean;
    };

/** Nothing changes any more at the expression (by its index) once watermark >= its value + offsetMs. */
export interface Closing {
  readonly index: number;
  readonly offsetMs: number;
}

export type WindowShape =
  /** All [start, start + size) with start a multiple of hop that hold the time; tumbling where hop = size. */
  | { readonly kind: "hop"; readonly sizeMs: number; readonly hopMs: number }
  /** (end - size, end] for each time `end` of a row of the partition. */
  | { readonly kind: "slide"; readonly sizeMs: number };

/** WITHIN: pairs whose times are at most so far apart, which the residual says, too. */
export interface JoinWithin {
  readonly ms: number;
  /** Over the left columns, TIMESTAMPs that are not NULL. */
  readonly leftTime: Expression;
  /** Over the right columns, which count from 0 here. */
  readonly rightTime: Expression;
  /** Just before the row; left out where no row is late. */
  readonly leftWatermark?: Expression;
  readonly rightWatermark?: Expression;
}

export interface SourceTime {
  /** Index of the column of kind "time". */
  readonly column: number;
  /** How far a record may lie behind the largest time of its shard and not be late. */
  readonly latenessMs: number;
  /** The time is the append time. */
  readonly appendTime: boolean;
}

export type ScanColumn =
  /** A top-level field. A declared type is cast to; a failing cast is an expression error and NULL. */
  | { readonly kind: "field"; readonly name: string; readonly type: SqlType }
  /** All fields as one SqlObject, but for those that are columns of their own. */
  | { readonly kind: "record"; readonly without: readonly string[] }
  /** Append time, a TIMESTAMP. */
  | { readonly kind: "append-time" }
  /**
   * The record's time, a TIMESTAMP that is never NULL: that of the field (a number is milliseconds since 1970),
   * or the append time.
   */
  | { readonly kind: "time"; readonly field?: { readonly name: string; readonly type: SqlType } }
  /** The source's watermark just before the record, a TIMESTAMP; -infinity ms when there was none. */
  | { readonly kind: "watermark" };

export type PhysicalNode = { readonly id: number; readonly types: readonly SqlType[] } & (
  | { readonly kind: "source"; readonly source: number }
  /** The output of a shared part of the plan, by its position. */
  | { readonly kind: "shared"; readonly shared: number }
  | { readonly kind: "values"; readonly rows: readonly (readonly Expression[])[] }
  /** Keeps rows for which the predicate is TRUE. */
  | { readonly kind: "filter"; readonly input: PhysicalNode; readonly predicate: Expression }
  | { readonly kind: "project"; readonly input: PhysicalNode; readonly items: readonly Expression[] }
  /**
   * Output: the keys, then the calls. No keys: one group that is there from the start. `appendOnly`:
   * the input never retracts, so cheaper state will do. `emission`: per input record, or per step; a -1
   * and the +1 that comes right behind it are one record's doing. Without calls it is DISTINCT: a row is
   * given when its group comes into being and taken back when its last record goes, nothing in between.
   */
  | {
      readonly kind: "aggregate";
      readonly input: PhysicalNode;
      readonly keys: readonly Expression[];
      readonly calls: readonly AggregateCall[];
      readonly appendOnly: boolean;
      readonly emission: "per-record" | "per-step";
      /** When a group is closed: its state is let go of. */
      readonly closes?: Closing;
      /** A group is given once, when it closes. */
      readonly final?: boolean;
    }
  /**
   * Each row once for each of its windows, with the window's bounds as two more columns, TIMESTAMPs. A window
   * that the watermark before the row has closed (end <= watermark; of slide end < watermark) does not get it; a
   * row without any window is diverted. Of slide a row of a new time comes with all rows of its window, and
   * joins those that are there.
   */
  | {
      readonly kind: "assign-windows";
      readonly input: PhysicalNode;
      readonly shape: WindowShape;
      readonly time: Expression;
      /** Just before the row; left out where no row is late. */
      readonly watermark?: Expression;
      /** Of slide: rows of other values do not meet. */
      readonly partition: readonly Expression[];
    }
  /**
   * Groups of rows of equal keys no two neighbours of which lie more than `gapMs` apart. Output: the keys, the
   * first row's time and the last one's + gapMs, the calls. A row extends or joins sessions: their rows are taken back.
   */
  | {
      readonly kind: "session";
      readonly input: PhysicalNode;
      readonly gapMs: number;
      readonly time: Expression;
      readonly watermark?: Expression;
      readonly keys: readonly Expression[];
      readonly calls: readonly AggregateCall[];
      readonly emission: "per-record" | "per-step";
      readonly final?: boolean;
    }
  /** Finite inputs only: ordered at the end of input; `limit` rows after skipping `offset`. */
  | {
      readonly kind: "sort";
      readonly input: PhysicalNode;
      readonly keys: readonly SortKey[];
      readonly limit?: number;
      readonly offset: number;
    }
  /** Finite inputs only. */
  | {
      readonly kind: "limit";
      readonly input: PhysicalNode;
      readonly limit?: number;
      readonly offset: number;
    }
  /**
   * Pairs of rows for which all `keys` are equal and `residual` (over the left columns, then the right ones)
   * is TRUE. Output: left columns, then right columns; of semi and anti the left columns only.
   *
   * inner: the pairs. cross: the same, with neither keys nor residual. left, right, full: also rows of that
   * side without a partner, with NULLs for the other. semi: left rows with a partner, once each. anti: left
   * rows without one. Weights multiply in pairs; a left row of semi and anti keeps its own.
   *
   * A pull gives its answer at the end; else a row without a partner is given at once and taken back when a
   * partner comes.
   */
  | {
      readonly kind: "join";
      readonly type: JoinType;
      readonly left: PhysicalNode;
      readonly right: PhysicalNode;
      readonly keys: readonly JoinKey[];
      readonly residual?: Expression;
      /**
       * NOT IN, of an anti join only: beyond keys and residual, a right row is a partner unless
       * `notIn.left = notIn.right` is FALSE. So a NULL on either side is a partner of all.
       */
      readonly notIn?: { readonly left: Expression; readonly right: Expression };
      /** That side never retracts. */
      readonly leftAppendOnly: boolean;
      readonly rightAppendOnly: boolean;
      /**
       * stream JOIN view, inner or left only: changes of the right side are remembered but give nothing; a
       * left row is joined with the right rows of its moment. The output retracts only what the left does.
       */
      readonly lookup: boolean;
      /** Rows are let go of when the bound has passed; those without a partner are given then, once. */
      readonly within?: JoinWithin;
      /** When the rows of a key are closed: they are let go of. */
      readonly closes?: Closing;
      /** Rows without a partner are given when they close. */
      readonly final?: boolean;
    }
  /** All rows of all inputs, which have the same number and types of columns. */
  | { readonly kind: "union-all"; readonly inputs: readonly PhysicalNode[] }
  /**
   * By the number of copies l and r of a row on each side. except: one copy if l > 0 and r = 0; with `all`
   * max(0, l - r) copies. intersect: one if both have it; with `all` min(l, r).
   */
  | {
      readonly kind: "set-operation";
      readonly operator: "except" | "intersect";
      readonly all: boolean;
      readonly left: PhysicalNode;
      readonly right: PhysicalNode;
    }
  /**
   * Per partition (none: one for all) the rows from position `offset` on, `limit` of them, in the order of
   * `keys`, rows with equal keys by their exact row key: kept true under changes, so a row that is pushed
   * out is taken back. Output: the input's columns; with `numbered` then the row's position, from 1, an
   * INTEGER. `appendOnly`: the input never retracts, so rows beyond the limit need not be kept.
   */
  | {
      readonly kind: "top-n";
      readonly input: PhysicalNode;
      readonly partition: readonly Expression[];
      readonly keys: readonly SortKey[];
      readonly limit: number;
      readonly offset: number;
      readonly numbered: boolean;
      readonly appendOnly: boolean;
      /** When a partition is closed, by one of its expressions. */
      readonly closes?: Closing;
      readonly final?: boolean;
    }
  /**
   * Output: the input's columns, then the calls. Per partition in the order of `keys`; rows with equal keys
   * are peers, and stand in the order of their exact row keys where a position is needed.
   */
  | {
      readonly kind: "window";
      readonly input: PhysicalNode;
      readonly partition: readonly Expression[];
      readonly keys: readonly SortKey[];
      readonly calls: readonly WindowCall[];
      readonly appendOnly: boolean;
      readonly closes?: Closing;
      readonly final?: boolean;
    }
);

export type JoinType = "inner" | "left" | "right" | "full" | "cross" | "semi" | "anti";

/** One equality of a join. A NULL equals nothing, unless `nullsEqual` (IS NOT DISTINCT FROM). */
export interface JoinKey {
  /** Over the left columns. */
  readonly left: Expression;
  /** Over the right columns, which count from 0 here. */
  readonly right: Expression;
  readonly nullsEqual: boolean;
}

export type PhysicalNodeKind = PhysicalNode["kind"];

/** What a node reads, by its ports. */
export function inputsOf(node: PhysicalNode): readonly PhysicalNode[] {
  const found: PhysicalNode[] = [];
  withInputs(node, (input) => {
    found.push(input);
    return input;
  });
  return found;
}

/** The same node over other inputs. */
export function withInputs(node: PhysicalNode, map: (input: PhysicalNode) => PhysicalNode): PhysicalNode {
  switch (node.kind) {
    case "source":
    case "shared":
    case "values":
      return node;
    case "filter":
    case "project":
    case "aggregate":
    case "sort":
    case "limit":
    case "assign-windows":
    case "session":
    case "top-n":
    case "window":
      return { ...node, input: map(node.input) };
    case "join":
    case "set-operation":
      return { ...node, left: map(node.left), right: map(node.right) };
    case "union-all":
      return { ...node, inputs: node.inputs.map(map) };
    default:
      return unreachable(node);
  }
}
