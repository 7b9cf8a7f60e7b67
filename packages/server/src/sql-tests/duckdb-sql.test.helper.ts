import { must, unreachable } from "@hstream/proto";
import type { AggregateCall, Expression, FrameBound, LogicalPlan, SortKey, WindowCall } from "@hstream/sql";
import { aggregateCalls, calls } from "./duckdb-calls.test.helper.js";
import { castTo, literal } from "./duckdb-types.test.helper.js";

/** A bound plan as SQL of DuckDB. */

export type RelationSql = (name: string) => string;

/** The plan as one SELECT with a column `c<id>` for each column. `relation`: SQL of a relation's rows. */
export function duckDbSql(plan: LogicalPlan, relation: RelationSql): string {
  return new Renderer(relation).plan(plan);
}

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
        const calls = plan.calls.map(({ column, call }) => `${this.#aggregate(call)} AS c${column.id}`);
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

  #aggregate(call: AggregateCall): string {
    const say = must(aggregateCalls[call.function], () => `DuckDB's word for ${call.function} is known`);
    const ordered = call.function.endsWith(" ORDER BY");
    const args = call.args.map((arg) => this.#on(arg));
    const directions = ordered && call.args[2]?.kind === "literal" ? String(call.args[2].value) : "";
    const keys = ordered ? args.slice(3) : [];
    const order = keys.map((key, i) => {
      const letter = directions[i] ?? "a";
      return `${key} ${letter.toLowerCase() === "d" ? "DESC" : "ASC"} NULLS ${letter < "a" ? "FIRST" : "LAST"}`;
    });
    const distinct = call.distinct ? "DISTINCT " : "";
    const said = say({
      args: ordered ? args.slice(0, 2) : args,
      distinct,
      order: list(order),
      type: call.type,
    });
    const conditions = [call.filter === undefined ? undefined : this.#on(call.filter), said.where];
    const where = conditions.filter((one) => one !== undefined).join(" AND ");
    return said.call(where === "" ? "" : ` FILTER (WHERE ${where})`);
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
    const text = `${call.function.toLowerCase()}(${distinct}${list(isAggregate)}${nulls})${filter} OVER (${over}${frame})`;
    return call.function === "SUM" && call.type.kind === "integer" ? `CAST(${text} AS BIGINT)` : text;
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

function boundOf(bound: FrameBound): string {
  return "offset" in bound
    ? `${String(bound.offset)} ${bound.kind.toUpperCase()}`
    : bound.kind.toUpperCase().replace("-", " ");
}

function limitOf({ limit, offset }: { readonly limit: number | undefined; readonly offset: number }): string {
  return `${limit === undefined ? "" : ` LIMIT ${limit}`}${offset === 0 ? "" : ` OFFSET ${offset}`}`;
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
