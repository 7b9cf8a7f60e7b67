import { must, unreachable } from "@hstream/proto";
import type {
  Expression,
  FrameBound,
  LogicalPlan,
  SortKey,
  SqlType,
  SqlValue,
  WindowCall,
} from "@hstream/sql";

/**
 * A bound plan as SQL of DuckDB. Where the two languages differ on purpose, DuckDB is told to do what we do,
 * by one of the rules below; each has a test that fails when the two come to agree.
 */

export type RelationSql = (name: string) => string;

/** The plan as one SELECT with a column `c<id>` for each column. `relation`: SQL of a relation's rows. */
export function duckDbSql(plan: LogicalPlan, relation: RelationSql): string {
  return new Renderer(relation).plan(plan);
}

/** An intended difference: how our function is said in DuckDB, and a case in which plain SQL gives another answer. */
export interface Rule {
  readonly name: string;
  /** What the difference is, for docs/sql/differences.md. */
  readonly difference: string;
  /** An expression that both can read, and for which they do not agree. */
  readonly example: string;
}

const rule = (name: string, difference: string, example: string): Rule => ({ name, difference, example });

export const rules = {
  integerDivision: rule(
    "integer division",
    "`/` between two INTEGERs gives an INTEGER, cut towards zero; in DuckDB a DOUBLE.",
    "7 / 2",
  ),
  divisionByZero: rule(
    "division by zero",
    "A FLOAT divided by zero is an expression error and NULL; in DuckDB infinity or NaN.",
    "CAST(1 AS FLOAT) / CAST(0 AS FLOAT)",
  ),
  floatToInteger: rule(
    "FLOAT to INTEGER",
    "The cast takes the floor; DuckDB rounds to the nearest even number.",
    "CAST(CAST(1.75 AS FLOAT) AS INTEGER)",
  ),
  likeEscape: rule(
    "LIKE's escape",
    "In a pattern, `\\` takes the meaning of % and _ away without being asked to; in DuckDB only by ESCAPE.",
    "'a%' LIKE 'a\\%'",
  ),
  roundsToInteger: rule(
    "CEIL, FLOOR, ROUND, SIGN give INTEGERs",
    "The result is an INTEGER, so dividing it is integer division; in DuckDB it stays a DOUBLE.",
    "FLOOR(CAST(7 AS FLOAT)) / 2",
  ),
  countIfOfNone: rule(
    "COUNT_IF of nothing",
    "COUNT_IF counts 0 where there is no row or only NULLs; DuckDB gives NULL.",
    "COUNT_IF(CAST(NULL AS BOOLEAN))",
  ),
  substringFrom: rule(
    "SUBSTRING before the beginning",
    "As standard SQL has it, positions before the first take their part of the length; DuckDB counts them from the end.",
    "SUBSTRING('stream', -1, 3)",
  ),
} as const;

class Renderer {
  readonly #relation: RelationSql;
  #names = 0;

  constructor(relation: RelationSql) {
    this.#relation = relation;
  }

  plan(plan: LogicalPlan): string {
    switch (plan.kind) {
      case "scan":
        return `SELECT ${columnList(
          plan.columns.map(({ id, name }) => `${quoted(name)} AS c${id}`),
        )} FROM (${this.#relation(plan.relation.name)})`;
      case "values": {
        const rows = plan.rows.map(
          (row) =>
            `SELECT ${columnList(row.map((item, i) => `${this.#on(item)} AS c${plan.columns[i]?.id}`))}`,
        );
        return rows.length === 0 ? "SELECT NULL AS nothing WHERE FALSE" : rows.join(" UNION ALL ");
      }
      case "filter":
        return `SELECT * FROM ${this.#from(plan.input)} WHERE ${this.#on(plan.predicate)}`;
      case "project":
        return `SELECT ${columnList(
          plan.items.map(({ column, expression }) => `${this.#on(expression)} AS c${column.id}`),
        )} FROM ${this.#from(plan.input)}`;
      case "aggregate": {
        const keys = plan.keys.map(({ column, expression }) => `${this.#on(expression)} AS c${column.id}`);
        const calls = plan.calls.map(({ column, call }) => {
          const args = call.args.length === 0 ? "*" : list(call.args.map((arg) => this.#on(arg)));
          const filter = call.filter === undefined ? "" : ` FILTER (WHERE ${this.#on(call.filter)})`;
          const distinct = call.distinct ? "DISTINCT " : "";
          // rules.countIfOfNone
          if (call.function === "COUNT_IF")
            return `count(CASE WHEN ${args} THEN 1 END)${filter} AS c${column.id}`;
          return `${aggregateName(call.function)}(${distinct}${args})${filter} AS c${column.id}`;
        });
        const groupBy = keys.length === 0 ? "" : ` GROUP BY ${list(keys.map((_, i) => String(i + 1)))}`;
        return `SELECT ${columnList([...keys, ...calls])} FROM ${this.#from(plan.input)}${groupBy}`;
      }
      case "assign-windows":
      case "session":
        throw new Error("windows are compared elsewhere");
      case "sort":
        return `SELECT * FROM ${this.#from(plan.input)} ORDER BY ${this.#order(plan.keys)}${limitOf(plan)}`;
      case "limit":
        return `SELECT * FROM ${this.#from(plan.input)}${limitOf(plan)}`;
      case "join":
        return this.#join(plan);
      case "union-all":
        return plan.inputs.map((input) => this.#renamed(input, plan.columns)).join(" UNION ALL ");
      case "set-operation": {
        const operator = `${plan.operator.toUpperCase()}${plan.all ? " ALL" : ""}`;
        const [left, right] = [plan.left, plan.right].map((input) => this.#renamed(input, plan.columns));
        return `SELECT * FROM (${left}) ${operator} SELECT * FROM (${right})`;
      }
      case "top-n": {
        const number = plan.number === undefined ? "n" : `c${plan.number.id}`;
        const over = `OVER (${this.#over(plan.partition, plan.keys)})`;
        const numbered = `SELECT *, row_number() ${over} AS ${number} FROM ${this.#from(plan.input)}`;
        const columns = plan.number === undefined ? "* EXCLUDE (n)" : "*";
        const { offset, limit } = plan;
        return `SELECT ${columns} FROM (${numbered}) WHERE ${number} > ${offset} AND ${number} <= ${offset + limit}`;
      }
      case "window": {
        const over = this.#over(plan.partition, plan.keys);
        const calls = plan.calls.map(
          ({ column, call }) => `${this.#windowCall(call, over)} AS c${column.id}`,
        );
        return `SELECT ${list(["*", ...calls])} FROM ${this.#from(plan.input)}`;
      }
      default:
        return unreachable(plan);
    }
  }

  #from(plan: LogicalPlan): string {
    this.#names += 1;
    return `(${this.plan(plan)}) AS q${this.#names}`;
  }

  #renamed(input: LogicalPlan, to: readonly { readonly id: number }[]): string {
    return `SELECT * FROM (${this.plan(input)}) AS u(${list(to.map(({ id }) => `c${id}`))})`;
  }

  #join(plan: Extract<LogicalPlan, { kind: "join" }>): string {
    const conditions = plan.keys.map(({ left, right, nullsEqual }) => {
      const operator = nullsEqual ? "IS NOT DISTINCT FROM" : "=";
      return `${this.#on(left)} ${operator} ${this.#on(right)}`;
    });
    if (plan.residual !== undefined) conditions.push(this.#on(plan.residual));
    if (plan.notIn !== undefined) {
      const { left, right } = plan.notIn;
      conditions.push(`((${this.#on(left)} = ${this.#on(right)}) IS DISTINCT FROM FALSE)`);
    }
    const on = conditions.length === 0 ? "TRUE" : conditions.map((one) => `(${one})`).join(" AND ");
    const [left, right] = [this.#from(plan.left), this.#from(plan.right)];
    if (plan.type === "semi" || plan.type === "anti") {
      const exists = plan.type === "semi" ? "EXISTS" : "NOT EXISTS";
      return `SELECT * FROM ${left} WHERE ${exists} (SELECT 1 FROM ${right} WHERE ${on})`;
    }
    const type = plan.type === "cross" ? "INNER" : plan.type.toUpperCase();
    return `SELECT * FROM ${left} ${type} JOIN ${right} ON ${on}`;
  }

  #order(keys: readonly SortKey[]): string {
    return list(
      keys.map(
        ({ expression, descending, nullsFirst }) =>
          `${this.#on(expression)} ${descending ? "DESC" : "ASC"} NULLS ${nullsFirst ? "FIRST" : "LAST"}`,
      ),
    );
  }

  #over(partition: readonly Expression[], keys: readonly SortKey[]): string {
    const by = partition.length === 0 ? "" : `PARTITION BY ${list(partition.map((one) => this.#on(one)))} `;
    return keys.length === 0 ? by : `${by}ORDER BY ${this.#order(keys)} `;
  }

  #windowCall(call: WindowCall, over: string): string {
    const args = call.args.map((arg) => this.#on(arg));
    const isAggregate = call.function === "COUNT" && args.length === 0 ? ["*"] : args;
    const nulls = call.ignoreNulls ? " IGNORE NULLS" : "";
    const filter = call.filter === undefined ? "" : ` FILTER (WHERE ${this.#on(call.filter)})`;
    const distinct = call.distinct ? "DISTINCT " : "";
    const { unit, start, end } = call.frame;
    const framed = !unframed.has(call.function);
    const frame = framed ? `${unit.toUpperCase()} BETWEEN ${boundOf(start)} AND ${boundOf(end)}` : "";
    return `${aggregateName(call.function)}(${distinct}${list(isAggregate)}${nulls})${filter} OVER (${over}${frame})`;
  }

  #on(expression: Expression): string {
    switch (expression.kind) {
      case "literal":
        return literal(expression.value, expression.type);
      case "column":
        return `c${expression.index}`;
      case "and":
      case "or":
        return `(${expression.args.map((arg) => this.#on(arg)).join(` ${expression.kind.toUpperCase()} `)})`;
      case "case": {
        const branches = expression.branches.map(
          ({ when, then }) => `WHEN ${this.#on(when)} THEN ${this.#on(then)}`,
        );
        return `(CASE ${branches.join(" ")} ELSE ${this.#on(expression.otherwise)} END)`;
      }
      case "cast":
        return castTo(this.#on(expression.operand), expression.operand.type, expression.type);
      case "call":
        return this.#call(expression);
      default:
        return unreachable(expression);
    }
  }

  #call({ function: name, args: operands, type }: Extract<Expression, { kind: "call" }>): string {
    const args = operands.map((arg) => this.#on(arg));
    const [a = "", b = "", c = ""] = args;
    const render = must(calls[name], () => `DuckDB's word for ${name} is known`);
    return render({ a, b, c, args, type });
  }
}

interface Call {
  readonly a: string;
  readonly b: string;
  readonly c: string;
  readonly args: readonly string[];
  readonly type: SqlType;
}

const infix =
  (operator: string) =>
  ({ a, b }: Call): string =>
    `(${a} ${operator} ${b})`;
const prefix =
  (name: string) =>
  ({ args }: Call): string =>
    `${name}(${list(args)})`;
const postfix =
  (test: string) =>
  ({ a }: Call): string =>
    `(${a} ${test})`;

/** How each function that the generator knows is said. */
export const calls: Readonly<Record<string, (call: Call) => string>> = {
  "=": infix("="),
  "<>": infix("<>"),
  "<": infix("<"),
  "<=": infix("<="),
  ">": infix(">"),
  ">=": infix(">="),
  "IS DISTINCT FROM": infix("IS DISTINCT FROM"),
  "IS NOT DISTINCT FROM": infix("IS NOT DISTINCT FROM"),
  NOT: ({ a }) => `(NOT ${a})`,
  "IS NULL": postfix("IS NULL"),
  "IS NOT NULL": postfix("IS NOT NULL"),
  "IS TRUE": postfix("IS NOT DISTINCT FROM TRUE"),
  "IS NOT TRUE": postfix("IS DISTINCT FROM TRUE"),
  "IS FALSE": postfix("IS NOT DISTINCT FROM FALSE"),
  "IS NOT FALSE": postfix("IS DISTINCT FROM FALSE"),
  BETWEEN: ({ a, b, c }) => `(${a} BETWEEN ${b} AND ${c})`,
  IN: ({ a, args }) => `(${a} IN (${list(args.slice(1))}))`,
  // rules.likeEscape
  LIKE: ({ a, b, c }) => `(${a} LIKE ${b} ESCAPE ${c === "" ? "'\\'" : c})`,
  ILIKE: ({ a, b, c }) => `(${a} ILIKE ${b} ESCAPE ${c === "" ? "'\\'" : c})`,
  "+": infix("+"),
  "-": infix("-"),
  "*": infix("*"),
  // rules.divisionByZero
  "/": ({ a, b }) => `(CAST(${a} AS DOUBLE) / NULLIF(CAST(${b} AS DOUBLE), 0))`,
  // rules.integerDivision
  DIV: ({ a, b, type }) =>
    type.kind === "integer"
      ? `(${a} // ${b})`
      : `trunc(CAST(${a} AS DOUBLE) / NULLIF(CAST(${b} AS DOUBLE), 0))`,
  "%": ({ a, b, type }) => (type.kind === "integer" ? `(${a} % ${b})` : `fmod(${a}, NULLIF(${b}, 0))`),
  NEGATE: ({ a }) => `(- ${a})`,
  ABS: prefix("abs"),
  // rules.roundsToInteger
  CEIL: ({ a }) => `CAST(ceil(${a}) AS BIGINT)`,
  FLOOR: ({ a }) => `CAST(floor(${a}) AS BIGINT)`,
  SIGN: ({ a }) => `CAST(sign(${a}) AS BIGINT)`,
  COALESCE: prefix("coalesce"),
  IFNULL: prefix("ifnull"),
  NULLIF: prefix("nullif"),
  GREATEST: prefix("greatest"),
  LEAST: prefix("least"),
  TO_LOWER: prefix("lower"),
  TO_UPPER: prefix("upper"),
  TRIM: prefix("trim"),
  LEFT_TRIM: prefix("ltrim"),
  RIGHT_TRIM: prefix("rtrim"),
  REVERSE: prefix("reverse"),
  STRLEN: prefix("length"),
  // rules.substringFrom: the generator starts at 1 or later.
  SUBSTRING: prefix("substring"),
  "||": infix("||"),
  REPLACE: prefix("replace"),
  REPEAT: prefix("repeat"),
  LPAD: ({ a, b, c }) => `lpad(${a}, CAST(${b} AS INTEGER), ${c})`,
  RPAD: ({ a, b, c }) => `rpad(${a}, CAST(${b} AS INTEGER), ${c})`,
  STARTS_WITH: prefix("starts_with"),
  ENDS_WITH: prefix("ends_with"),
  CONTAINS: prefix("contains"),
  TRUNC: ({ a }) => `CAST(trunc(${a}) AS BIGINT)`,
  IF: ({ a, b, c }) => `(CASE WHEN ${a} THEN ${b} ELSE ${c} END)`,
};

const unframed = new Set([
  "ROW_NUMBER",
  "RANK",
  "DENSE_RANK",
  "PERCENT_RANK",
  "CUME_DIST",
  "NTILE",
  "LAG",
  "LEAD",
]);

function aggregateName(name: string): string {
  // A scalar subquery that gives more than one row is an error in both; the generator makes none.
  return name === "MEAN" ? "avg" : name === "SINGLE_VALUE" ? "any_value" : name.toLowerCase();
}

function boundOf(bound: FrameBound): string {
  return "offset" in bound
    ? `${String(bound.offset)} ${bound.kind.toUpperCase()}`
    : bound.kind.toUpperCase().replace("-", " ");
}

function limitOf({ limit, offset }: { readonly limit: number | undefined; readonly offset: number }): string {
  return `${limit === undefined ? "" : ` LIMIT ${limit}`}${offset === 0 ? "" : ` OFFSET ${offset}`}`;
}

const duckDbTypes: Readonly<Partial<Record<SqlType["kind"], string>>> = {
  boolean: "BOOLEAN",
  integer: "BIGINT",
  float: "DOUBLE",
  string: "VARCHAR",
};

export function duckDbType(type: SqlType): string {
  return must(duckDbTypes[type.kind], () => `the generator makes no ${type.kind}`);
}

function castTo(operand: string, from: SqlType, to: SqlType): string {
  if (to.kind === "dynamic" || to.kind === "null") return operand;
  // rules.floatToInteger
  if (from.kind === "float" && to.kind === "integer") return `CAST(floor(${operand}) AS BIGINT)`;
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
  if (typeof value === "object" && "unscaled" in value) {
    return `CAST(${Number(value.unscaled) / 10 ** value.scale} AS DOUBLE)`;
  }
  throw new Error("the generator makes no such literal");
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function list(parts: readonly string[]): string {
  return parts.join(", ");
}

/** A SELECT must have a column, wanted or not. */
function columnList(columns: readonly string[]): string {
  return columns.length === 0 ? "NULL AS nothing" : list(columns);
}
