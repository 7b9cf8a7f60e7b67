/**
 * What running a plan needs: types, values, functions and the plan itself, without the parser, so that
 * a worker thread starts quickly.
 */
export type { AggregateCall, Expression, SortKey } from "./plan/expression.js";
export type {
  EmitMode,
  OutputColumn,
  PhysicalNode,
  PhysicalNodeKind,
  PhysicalPlan,
  PlanSource,
  ScanColumn,
} from "./plan/physical.js";
export type { SqlType, SqlTypeKind } from "./types/sql-type.js";
export type {
  SqlArray,
  SqlDate,
  SqlDecimal,
  SqlInterval,
  SqlObject,
  SqlTime,
  SqlTimestamp,
  SqlValue,
} from "./types/sql-value.js";
