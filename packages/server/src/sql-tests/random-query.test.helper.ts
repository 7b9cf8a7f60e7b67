import type { SqlValue } from "@hstream/sql";
import * as fc from "fast-check";

/** Random relations and queries over them, in the language that DuckDB has too. Queries are text of ours. */

export type Kind = "integer" | "float" | "string" | "boolean";

export interface ColumnSpec {
  readonly name: string;
  readonly kind: Kind;
}

export interface RelationSpec {
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
}

/** A column that an expression may name. */
interface Reference {
  readonly text: string;
  readonly kind: Kind;
}

const kinds = fc.constantFrom<Kind>("integer", "float", "string", "boolean");

const relation = (name: string): fc.Arbitrary<RelationSpec> =>
  fc.array(kinds, { minLength: 1, maxLength: 3 }).map((more) => ({
    name,
    columns: (["integer", ...more] as const).map((kind, i) => ({ name: `${"abcdef"[i]}`, kind })),
  }));

export const relations: fc.Arbitrary<RelationSpec[]> = fc
  .tuple(relation("t0"), relation("t1"))
  .map((all) => [...all]);

const texts = ["", "a", "A", "ab", "b%", "é", " x "] as const;

const valueOf: Readonly<Record<Kind, fc.Arbitrary<SqlValue>>> = {
  // Few, so that keys meet.
  integer: fc.integer({ min: -1, max: 3 }),
  // Quarters, so that sums are exact in any order.
  float: fc.integer({ min: -8, max: 12 }).map((quarters) => quarters / 4),
  string: fc.constantFrom(...texts),
  boolean: fc.boolean(),
};

export const rowOf = (spec: RelationSpec): fc.Arbitrary<SqlValue[]> =>
  fc.tuple(...spec.columns.map(({ kind }) => fc.option(valueOf[kind], { freq: 5 }))).map((row) => [...row]);

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

function literalOf(kind: Kind): fc.Arbitrary<string> {
  switch (kind) {
    case "integer":
      return fc.integer({ min: -3, max: 6 }).map((value) => (value < 0 ? `(${value})` : String(value)));
    case "float":
      return fc
        .integer({ min: -8, max: 12 })
        .map((quarters) => (quarters / 4).toFixed(2))
        .map((value) => (value.startsWith("-") ? `(${value})` : value));
    case "string":
      return fc.constantFrom(...texts).map(text);
    case "boolean":
      return fc.constantFrom("TRUE", "FALSE");
  }
}

const nonZero = fc.constantFrom("2", "3", "(-2)");

/** An expression of that kind over the columns. */
function expression(kind: Kind, columns: readonly Reference[], depth: number): fc.Arbitrary<string> {
  const own = columns.filter((column) => column.kind === kind);
  const leaf =
    own.length === 0
      ? literalOf(kind)
      : fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom(...own.map((column) => column.text)) },
          { weight: 1, arbitrary: literalOf(kind) },
        );
  if (depth === 0) return leaf;
  const sub = (of: Kind): fc.Arbitrary<string> => expression(of, columns, depth - 1);
  const two = (of: Kind, ...operators: string[]): fc.Arbitrary<string> =>
    fc
      .tuple(sub(of), fc.constantFrom(...operators), sub(of))
      .map(([a, operator, b]) => `(${a} ${operator} ${b})`);
  const general = [
    fc
      .tuple(sub("boolean"), sub(kind), sub(kind))
      .map(([w, a, b]) => `CASE WHEN ${w} THEN ${a} ELSE ${b} END`),
    fc.tuple(sub(kind), sub(kind)).map(([a, b]) => `COALESCE(${a}, ${b})`),
    fc.tuple(sub(kind), sub(kind)).map(([a, b]) => `NULLIF(${a}, ${b})`),
    fc.tuple(sub(kind), sub(kind)).map(([a, b]) => `IFNULL(${a}, ${b})`),
  ];
  return fc.oneof({ weight: 2, arbitrary: leaf }, ...general, ...special(kind, sub, two));
}

function special(
  kind: Kind,
  sub: (of: Kind) => fc.Arbitrary<string>,
  two: (of: Kind, ...operators: string[]) => fc.Arbitrary<string>,
): fc.Arbitrary<string>[] {
  switch (kind) {
    case "integer":
      return [
        two("integer", "+", "-", "*"),
        fc
          .tuple(sub("integer"), fc.constantFrom("%", "/", "DIV"), nonZero)
          .map(([a, op, b]) => `(${a} ${op} ${b})`),
        fc.tuple(sub("integer"), sub("integer")).map(([a, b]) => `(${a} % ${b})`),
        fc.tuple(fc.constantFrom("ABS", "-"), sub("integer")).map(([name, a]) => `${name}(${a})`),
        fc.tuple(fc.constantFrom("CEIL", "FLOOR", "SIGN"), sub("float")).map(([name, a]) => `${name}(${a})`),
        sub("string").map((a) => `LENGTH(${a})`),
        sub("float").map((a) => `TRUNC(${a})`),
        fc.tuple(sub("boolean"), sub("integer"), sub("integer")).map(([w, a, b]) => `IF(${w}, ${a}, ${b})`),
        sub("float").map((a) => `CAST(${a} AS INTEGER)`),
        fc
          .tuple(fc.constantFrom("GREATEST", "LEAST"), sub("integer"), sub("integer"))
          .map(([name, a, b]) => `${name}(${a}, ${b})`),
      ];
    case "float":
      return [
        two("float", "+", "-", "*"),
        fc.tuple(sub("float"), sub("float")).map(([a, b]) => `(${a} / ${b})`),
        fc.tuple(sub("integer"), nonZero).map(([a, b]) => `(CAST(${a} AS FLOAT) / ${b})`),
        sub("integer").map((a) => `CAST(${a} AS FLOAT)`),
        sub("float").map((a) => `ABS(${a})`),
      ];
    case "string":
      return [
        two("string", "||"),
        fc
          .tuple(fc.constantFrom("UPPER", "LOWER", "TRIM", "LTRIM", "RTRIM", "REVERSE"), sub("string"))
          .map(([name, a]) => `${name}(${a})`),
        fc
          .tuple(sub("string"), fc.integer({ min: 1, max: 3 }), fc.nat(2))
          .map(([a, from, length]) => `SUBSTRING(${a}, ${from}, ${length})`),
        sub("integer").map((a) => `CAST(${a} AS STRING)`),
        fc
          .tuple(sub("string"), sub("string"), sub("string"))
          .map(([a, from, to]) => `REPLACE(${a}, ${from === "''" ? "'a'" : from}, ${to})`),
        fc
          .tuple(fc.constantFrom("LPAD", "RPAD"), sub("string"), fc.nat(4))
          .map(([name, a, length]) => `${name}(${a}, ${length}, '-')`),
        fc.tuple(sub("string"), fc.nat(2)).map(([a, times]) => `REPEAT(${a}, ${times})`),
      ];
    case "boolean":
      return [
        ...(["integer", "float", "string", "boolean"] as const).map((of) =>
          two(of, "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"),
        ),
        two("boolean", "AND", "OR"),
        sub("boolean").map((a) => `(NOT ${a})`),
        fc
          .tuple(fc.constantFrom("STARTS_WITH", "ENDS_WITH", "CONTAINS"), sub("string"), sub("string"))
          .map(([name, a, b]) => `${name}(${a}, ${b})`),
        fc
          .tuple(kinds.chain(sub), fc.constantFrom("IS NULL", "IS NOT NULL"))
          .map(([a, test]) => `(${a} ${test})`),
        fc
          .tuple(sub("boolean"), fc.constantFrom("IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE"))
          .map(([a, test]) => `(${a} ${test})`),
        fc
          .tuple(sub("integer"), sub("integer"), sub("integer"))
          .map(([a, low, high]) => `(${a} BETWEEN ${low} AND ${high})`),
        fc
          .tuple(sub("integer"), fc.constantFrom("IN", "NOT IN"), sub("integer"), literalOf("integer"))
          .map(([a, test, b, c]) => `(${a} ${test} (${b}, ${c}))`),
        fc
          .tuple(
            sub("string"),
            fc.constantFrom("LIKE", "ILIKE"),
            fc.constantFrom("%", "a%", "_", "%b%", "b\\%"),
          )
          .map(([a, test, pattern]) => `(${a} ${test} ${text(pattern)})`),
      ];
  }
}

/** A query without ORDER BY, the kinds of its columns (x0, x1 …), and what it is made of. */
export interface QuerySpec {
  readonly text: string;
  readonly kinds: readonly Kind[];
}

interface From {
  readonly text: string;
  readonly columns: readonly Reference[];
}

const table = (spec: RelationSpec, alias: string): From => ({
  text: `${spec.name} AS ${alias}`,
  columns: spec.columns.map(({ name, kind }) => call(`${alias}.${name}`, kind)),
});

const distinctKinds = fc.array(kinds, { minLength: 1, maxLength: 3 });

const items = (expressions: readonly string[]): string =>
  expressions.map((one, i) => `${one} AS x${i}`).join(", ");

/** Which forms of queries the language has so far. */
export type Form =
  | "projection"
  | "grouping"
  | "distinct"
  | "join"
  | "set operation"
  | "window"
  | "subquery"
  | "in subquery"
  | "exists"
  | "scalar subquery"
  | "nested";

const where = (columns: readonly Reference[]): fc.Arbitrary<string> =>
  fc
    .option(expression("boolean", columns, 2), { freq: 2, nil: "" })
    .map((one) => (one === "" ? "" : ` WHERE ${one}`));

function projection(from: From, depth = 2): fc.Arbitrary<QuerySpec> {
  return distinctKinds.chain((wanted) =>
    fc
      .tuple(fc.tuple(...wanted.map((kind) => expression(kind, from.columns, depth))), where(from.columns))
      .map(([list, condition]) => ({
        text: `SELECT ${items(list)} FROM ${from.text}${condition}`,
        kinds: wanted,
      })),
  );
}

interface CallSpec {
  readonly text: string;
  readonly kind: Kind;
  /** Of a window function: whether a frame may follow. */
  readonly framed: boolean;
}

const call = (text: string, kind: Kind, framed = false): CallSpec => ({ text, kind, framed });

function aggregateOf(columns: readonly Reference[]): fc.Arbitrary<CallSpec> {
  const filter = fc
    .option(expression("boolean", columns, 1), { freq: 4, nil: "" })
    .map((one) => (one === "" ? "" : ` FILTER (WHERE ${one})`));
  const calls = fc.oneof(
    fc.constant(call("COUNT(*)", "integer")),
    kinds.chain((kind) => expression(kind, columns, 1).map((one) => call(`COUNT(${one})`, "integer"))),
    kinds.chain((kind) =>
      expression(kind, columns, 1).map((one) => call(`COUNT(DISTINCT ${one})`, "integer")),
    ),
    fc
      .constantFrom<Kind>("integer", "float")
      .chain((kind) => expression(kind, columns, 1).map((one) => call(`SUM(${one})`, kind))),
    fc
      .constantFrom<Kind>("integer", "float")
      .chain((kind) => expression(kind, columns, 1).map((one) => call(`AVG(${one})`, "float"))),
    fc
      .constantFrom("BOOL_AND", "BOOL_OR")
      .chain((name) => expression("boolean", columns, 1).map((one) => call(`${name}(${one})`, "boolean"))),
    expression("boolean", columns, 1).map((one) => call(`COUNT_IF(${one})`, "integer")),
    fc
      .constantFrom<Kind>("integer", "float")
      .chain((kind) => expression(kind, columns, 1).map((one) => call(`MEDIAN(${one})`, "float"))),
    fc
      .tuple(fc.constantFrom("MIN", "MAX"), kinds)
      .chain(([name, kind]) => expression(kind, columns, 1).map((one) => call(`${name}(${one})`, kind))),
  );
  return fc.tuple(calls, filter).map(([{ text, kind }, condition]) => call(`${text}${condition}`, kind));
}

function grouping(from: From): fc.Arbitrary<QuerySpec> {
  return fc.array(kinds, { maxLength: 2 }).chain((keyKinds) =>
    fc
      .tuple(
        fc.tuple(...keyKinds.map((kind) => expression(kind, from.columns, 1))),
        fc.array(aggregateOf(from.columns), { minLength: 1, maxLength: 2 }),
        where(from.columns),
        fc.option(fc.tuple(fc.constantFrom("COUNT(*) > 1", "COUNT(*) <> 2", "MIN(1) = 1")), { freq: 3 }),
      )
      .map(([keys, calls, condition, having]) => {
        const groupBy = keys.length === 0 ? "" : ` GROUP BY ${keys.map((_, i) => i + 1).join(", ")}`;
        const list = items([...keys, ...calls.map(({ text }) => text)]);
        return {
          text: `SELECT ${list} FROM ${from.text}${condition}${groupBy}${having === null ? "" : ` HAVING ${having[0]}`}`,
          kinds: [...keyKinds, ...calls.map(({ kind }) => kind)],
        };
      }),
  );
}

function joinOf(left: From, right: From): fc.Arbitrary<From> {
  const keyOf = (from: From): string => from.columns.find(({ kind }) => kind === "integer")?.text ?? "1";
  const equality = `${keyOf(left)} = ${keyOf(right)}`;
  const both = [...left.columns, ...right.columns];
  const condition = fc.oneof(
    { weight: 3, arbitrary: fc.constant(equality) },
    { weight: 2, arbitrary: expression("boolean", both, 1).map((one) => `${equality} AND ${one}`) },
    { weight: 1, arbitrary: expression("boolean", both, 1) },
    { weight: 1, arbitrary: fc.constant(equality.replace("=", "IS NOT DISTINCT FROM")) },
  );
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant({ text: `${left.text} CROSS JOIN ${right.text}`, columns: both }) },
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.constantFrom("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"), condition)
        .map(([type, on]) => ({
          text: `${left.text} ${type} ${right.text} ON ${on}`,
          columns: both,
        })),
    },
  );
}

const frames = fc.constantFrom(
  "",
  " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
  " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
  " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
  " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
  " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
  " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
);

function windowOf(spec: RelationSpec): fc.Arbitrary<QuerySpec> {
  const from = table(spec, "w");
  // In the order of all columns, rows that are peers are equal.
  const order = `ORDER BY ${from.columns.map(({ text }) => text).join(", ")}`;
  const first = from.columns[0] as Reference;
  const calls = fc.oneof(
    fc
      .constantFrom("ROW_NUMBER()", "RANK()", "DENSE_RANK()", "NTILE(2)")
      .map((text) => call(text, "integer", false)),
    fc.constantFrom("PERCENT_RANK()", "CUME_DIST()").map((text) => call(text, "float", false)),
    fc.constantFrom("LAG", "LEAD").map((name) => call(`${name}(${first.text})`, first.kind, false)),
    fc
      .constantFrom("FIRST_VALUE", "LAST_VALUE", "SUM", "MIN", "MAX")
      .map((name) => call(`${name}(${first.text})`, first.kind, true)),
    fc.constant(call("COUNT(*)", "integer", true)),
  );
  return fc
    .tuple(fc.array(calls, { minLength: 1, maxLength: 2 }), frames, fc.boolean(), where(from.columns))
    .map(([list, frame, partitioned, condition]) => {
      const by = partitioned ? `PARTITION BY ${first.text} ` : "";
      const over = (framed: boolean): string => `OVER (${by}${order}${framed ? frame : ""})`;
      return {
        text: `SELECT ${items([...from.columns.map(({ text }) => text), ...list.map(({ text, framed }) => `${text} ${over(framed)}`)])} FROM ${from.text}${condition}`,
        kinds: [...from.columns.map(({ kind }) => kind), ...list.map(({ kind }) => kind)],
      };
    });
}

const inner = (query: QuerySpec, alias: string): From => ({
  text: `(${query.text}) AS ${alias}`,
  columns: query.kinds.map((kind, i) => call(`${alias}.x${i}`, kind)),
});

/** A query of one of the forms. */
export function queryOf(
  specs: readonly RelationSpec[],
  forms: readonly Form[],
  depth = 1,
): fc.Arbitrary<QuerySpec> {
  const [first, second] = specs as readonly [RelationSpec, RelationSpec];
  const a = table(first, "p");
  const b = table(second, "q");
  const within: readonly Form[] = ["projection", "grouping", "distinct", "join", "set operation", "window"];
  const under = (): fc.Arbitrary<QuerySpec> => queryOf(specs, within, depth - 1);
  const byForm: Readonly<Record<Form, () => fc.Arbitrary<QuerySpec>>> = {
    projection: () => projection(a),
    grouping: () => grouping(a),
    distinct: () =>
      projection(a, 1).map(({ text, kinds }) => ({ text: text.replace("SELECT", "SELECT DISTINCT"), kinds })),
    join: () => joinOf(a, b).chain((from) => fc.oneof(projection(from, 1), grouping(from))),
    "set operation": () =>
      distinctKinds.chain((wanted) => {
        const side = (from: From): fc.Arbitrary<string> =>
          fc
            .tuple(fc.tuple(...wanted.map((kind) => expression(kind, from.columns, 1))), where(from.columns))
            .map(([list, condition]) => `SELECT ${items(list)} FROM ${from.text}${condition}`);
        const operators = ["UNION ALL", "UNION", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL"];
        return fc
          .tuple(side(a), fc.constantFrom(...operators), side(b))
          .map(([left, operator, right]) => ({ text: `${left} ${operator} ${right}`, kinds: wanted }));
      }),
    window: () => windowOf(first),
    subquery: () =>
      (depth > 0 ? under() : projection(a)).chain((query) => {
        const from = inner(query, "s");
        return fc.oneof(projection(from, 1), grouping(from));
      }),
    "in subquery": () =>
      fc
        .tuple(projection(a, 1), fc.constantFrom("IN", "NOT IN"), where(b.columns))
        .map(([{ text, kinds }, test, condition]) => ({
          text: `${text}${text.includes(" WHERE ") ? " AND" : " WHERE"} p.a ${test} (SELECT q.a FROM ${b.text}${condition})`,
          kinds,
        })),
    exists: () =>
      fc
        .tuple(
          distinctKinds,
          fc.constantFrom("EXISTS", "NOT EXISTS"),
          expression("boolean", [...a.columns, ...b.columns], 1),
          fc.boolean(),
        )
        .chain(([wanted, test, condition, keyed]) =>
          fc.tuple(...wanted.map((kind) => expression(kind, a.columns, 1))).map((list) => ({
            text: `SELECT ${items(list)} FROM ${a.text} WHERE ${test} (SELECT 1 FROM ${b.text} WHERE ${keyed ? "p.a = q.a AND " : ""}${condition})`,
            kinds: wanted,
          })),
        ),
    "scalar subquery": () =>
      fc
        .tuple(projection(a, 1), aggregateOf(b.columns), where(b.columns))
        .map(([{ text, kinds }, { text: one, kind }, condition]) => ({
          text: text.replace(
            " FROM ",
            `, (SELECT ${one} FROM ${b.text}${condition}) AS x${kinds.length} FROM `,
          ),
          kinds: [...kinds, kind],
        })),
    nested: () =>
      fc
        .tuple(under(), under())
        .chain(([left, right]) =>
          joinOf(inner(left, "l"), inner(right, "r")).chain((from) =>
            fc.oneof(projection(from, 1), grouping(from)),
          ),
        ),
  };
  return fc.constantFrom(...forms).chain((form) => byForm[form]());
}

/** The query in the order of all its columns, cut: rows that are equal in order are equal. */
export function sortedQueryOf(
  specs: readonly RelationSpec[],
  forms: readonly Form[],
): fc.Arbitrary<QuerySpec> {
  return queryOf(specs, forms).chain(({ text, kinds }) =>
    fc
      .record({
        orders: fc.tuple(
          ...kinds.map(() => fc.constantFrom("", " DESC", " NULLS FIRST", " DESC NULLS LAST")),
        ),
        limit: fc.option(fc.nat(5), { nil: undefined }),
        offset: fc.nat(2),
      })
      .map(({ orders, limit, offset }) => {
        const keys = orders.map((order, i) => `x${i}${order}`).join(", ");
        const cut = `${limit === undefined ? "" : ` LIMIT ${limit}`}${offset === 0 ? "" : ` OFFSET ${offset}`}`;
        return { text: `${text} ORDER BY ${keys}${cut}`, kinds };
      }),
  );
}
