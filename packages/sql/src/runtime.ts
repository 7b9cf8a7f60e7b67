/**
 * What running a plan needs: types, values, functions and the plan itself, without the parser, so that
 * a worker thread starts quickly.
 */
export type {
  AggregateCall,
  Expression,
  FrameBound,
  SortKey,
  WindowCall,
  WindowFrame,
} from "./plan/expression.js";
export type {
  Closing,
  EmitMode,
  JoinKey,
  JoinType,
  JoinWithin,
  OutputColumn,
  PhysicalNode,
  PhysicalNodeKind,
  PhysicalPlan,
  PlanSource,
  ScanColumn,
  SourceTime,
  WindowShape,
} from "./plan/physical.js";
export { inputsOf } from "./plan/physical.js";
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
export { evaluate } from "./runtime/evaluate.js";
export type {
  AggregateFunction,
  AggregateImplementation,
  AggregateState,
  EvaluationContext,
  Example,
  Family,
  FunctionEntry,
  ScalarFunction,
  Signature,
  SpecialForm,
} from "./functions/function.js";
export { evaluateFunction } from "./functions/function.js";
export {
  aggregateFunction,
  aggregateImplementation,
  functionEntry,
  functionTable,
  scalarFunction,
} from "./functions/table.js";
export { OnePass } from "./functions/one-pass.js";
export { groupSpan } from "./functions/regular-expressions.js";
export { likeMatches } from "./functions/like.js";
export {
  arrayOf,
  BOOLEAN,
  BYTEA,
  commonType,
  DATE,
  DECIMAL,
  DYNAMIC,
  FLOAT,
  INTEGER,
  INTERVAL,
  isNumeric,
  JSONB,
  NULL_TYPE,
  sameType,
  STRING,
  TIME,
  TIMESTAMP,
  typeName,
  typeNamed,
} from "./types/types.js";
export { timestampMsMax } from "./values/calendar.js";
export { cast } from "./values/cast.js";
export { compareSql, compareText, compareTotal, equalSql } from "./values/compare.js";
export { fromJson, type JsonResult, parseJson } from "./values/json.js";
export {
  arithmetic,
  decimal,
  isDecimal,
  isInteger,
  isNumber,
  type SqlNumber,
  toFloat,
} from "./values/numbers.js";
export { decodeRowKey, encodeRowKey, rowKeyText } from "./values/row-key.js";
export { fromStored, type StoredValue, toStored, unwrap } from "./values/stored.js";
export { toPlainJson, toStoredJson, toText } from "./values/text.js";
export { isArray, isObject, valueKind } from "./values/value-kind.js";
