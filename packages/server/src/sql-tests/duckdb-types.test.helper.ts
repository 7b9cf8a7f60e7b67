import { must } from "@hstream/proto";
import { type SqlType, type SqlValue, toText } from "@hstream/sql";

/** Types and values in DuckDB's SQL. */
export function duckDbType(type: SqlType): string {
  // What is made of arrays of integers is not always known to be one.
  if (type.kind === "array")
    return type.element.kind === "dynamic" ? "BIGINT[]" : `${duckDbType(type.element)}[]`;
  return must(duckDbTypes[type.kind], () => `the generator makes no ${type.kind}`);
}

/** Six digits after the point, twelve before it: as much as the random ones need. */
const duckDbTypes: Readonly<Partial<Record<SqlType["kind"], string>>> = {
  boolean: "BOOLEAN",
  integer: "BIGINT",
  float: "DOUBLE",
  decimal: "DECIMAL(18, 4)",
  string: "VARCHAR",
  date: "DATE",
  timestamp: "TIMESTAMP",
  jsonb: "JSON",
};

export function castTo(operand: string, from: SqlType, to: SqlType): string {
  if (to.kind === "dynamic" || to.kind === "null") return operand;
  // rules.floatToInteger
  const isFraction = from.kind === "float" || from.kind === "decimal";
  if (isFraction && to.kind === "integer") return `CAST(floor(${operand}) AS BIGINT)`;
  if (to.kind === "string") {
    // rules.textOfBoolean, rules.textOfTimestamp
    if (from.kind === "boolean") return `upper(CAST(${operand} AS VARCHAR))`;
    if (from.kind === "timestamp") return `strftime(${operand}, '%Y-%m-%dT%H:%M:%SZ')`;
  }
  return `CAST(${operand} AS ${duckDbType(to)})`;
}

export function literal(value: SqlValue, type: SqlType): string {
  if (value === null)
    return type.kind === "null" || type.kind === "dynamic" ? "NULL" : `CAST(NULL AS ${duckDbType(type)})`;
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (typeof value === "number" || typeof value === "bigint") {
    return `CAST(${value} AS ${type.kind === "float" || !Number.isInteger(Number(value)) ? "DOUBLE" : "BIGINT"})`;
  }
  if (Array.isArray(value)) {
    const element = type.kind === "array" ? type.element : type;
    const elements = (value as readonly SqlValue[]).map((one) => literal(one, element));
    return `CAST([${elements.join(", ")}] AS ${duckDbType(type)})`;
  }
  if (typeof value === "object" && "kind" in value) {
    switch (value.kind) {
      case "decimal":
        return `CAST('${toText(value)}' AS ${duckDbType(type.kind === "decimal" ? type : { kind: "decimal" })})`;
      case "date":
        return `DATE '${toText(value)}'`;
      case "timestamp":
        return `TIMESTAMP '${toText(value).replace("T", " ").replace("Z", "")}'`;
      case "interval":
        return `(INTERVAL '${value.months} months' + INTERVAL '${value.ms} milliseconds')`;
      default:
    }
  }
  throw new Error("the generator makes no such literal");
}
