import * as fc from "fast-check";
import { expression, itemKinds, type Kind, kinds, type Reference } from "./random-expression.test.helper.js";

/** Random relations and queries over them, in the language that DuckDB has too. Queries are text of ours. */

export interface ColumnSpec {
  readonly name: string;
  readonly kind: Kind;
}

export interface RelationSpec {
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
}

const relation = (name: string): fc.Arbitrary<RelationSpec> =>
  fc.array(kinds, { minLength: 1, maxLength: 3 }).map((more) => ({
    name,
    columns: (["integer", ...more] as const).map((kind, i) => ({ name: `${"abcdef"[i]}`, kind })),
  }));

export const relations: fc.Arbitrary<RelationSpec[]> = fc
  .tuple(relation("t0"), relation("t1"))
  .map((all) => [...all]);

/** A query without ORDER BY, the kinds of its columns (x0, x1 …), and what it is made of. */
export interface QuerySpec {
  readonly text: string;
  readonly kinds: readonly Selected[];
}

/** The kind of a column; `opaque` is selected and no more: an array with NULLs in it. */
type Selected = Kind | "opaque";

interface From {
  readonly text: string;
  readonly columns: readonly Reference[];
}

const table = (spec: RelationSpec, alias: string): From => ({
  text: `${spec.name} AS ${alias}`,
  columns: spec.columns.map(({ name, kind }) => call(`${alias}.${name}`, kind)),
});

const distinctKinds = fc.array(itemKinds, { minLength: 1, maxLength: 3 });

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
  | "correlated subquery"
  | "quantified comparison"
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

interface CallSpec<K extends Selected = Kind> {
  readonly text: string;
  readonly kind: K;
  /** Of a window function: whether a frame may follow. */
  readonly framed: boolean;
}

const call = <K extends Selected>(text: string, kind: K, framed = false): CallSpec<K> => ({
  text,
  kind,
  framed,
});

function aggregateOf(columns: readonly Reference[]): fc.Arbitrary<CallSpec<Selected>> {
  const filter = fc
    .option(expression("boolean", columns, 1), { freq: 4, nil: "" })
    .map((one) => (one === "" ? "" : ` FILTER (WHERE ${one})`));
  const of = (kind: Kind): fc.Arbitrary<string> => expression(kind, columns, 1);
  const numeric = fc.constantFrom<Kind>("integer", "float", "decimal");
  const order = kinds
    .chain(of)
    .chain((key) => fc.constantFrom("", " DESC", " NULLS FIRST").map((how) => `${key}${how}`));
  const calls = fc.oneof<fc.Arbitrary<CallSpec<Selected>>[]>(
    fc.constant(call("COUNT(*)", "integer")),
    kinds.chain((kind) => of(kind).map((one) => call(`COUNT(${one})`, "integer"))),
    kinds.chain((kind) => of(kind).map((one) => call(`COUNT(DISTINCT ${one})`, "integer"))),
    kinds.chain((kind) => of(kind).map((one) => call(`APPROX_COUNT_DISTINCT(${one})`, "integer"))),
    numeric.chain((kind) => of(kind).map((one) => call(`SUM(${one})`, kind))),
    numeric.chain((kind) => of(kind).map((one) => call(`SUM(DISTINCT ${one})`, kind))),
    numeric.chain((kind) => of(kind).map((one) => call(`AVG(${one})`, "real"))),
    fc
      .tuple(fc.constantFrom("VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP"), of("float"))
      .map(([name, one]) => call(`${name}(${one})`, "real")),
    fc
      .tuple(
        fc.constantFrom("COVAR_POP", "COVAR_SAMP", "CORR", "REGR_SLOPE", "REGR_INTERCEPT"),
        of("float"),
        of("integer"),
      )
      .map(([name, x, y]) => call(`${name}(${x}, ${y})`, "real")),
    fc
      .constantFrom("BOOL_AND", "BOOL_OR")
      .chain((name) => of("boolean").map((one) => call(`${name}(${one})`, "boolean"))),
    of("boolean").map((one) => call(`COUNT_IF(${one})`, "integer")),
    numeric.chain((kind) => of(kind).map((one) => call(`MEDIAN(${one})`, "real"))),
    fc
      .tuple(of("float"), fc.constantFrom("0.25", "0.5", "1.0"))
      .map(([one, q]) => call(`QUANTILE(${one}, ${q})`, "real")),
    fc
      .tuple(of("integer"), fc.constantFrom("0.25", "0.5", "1.0"))
      .map(([one, q]) => call(`QUANTILE_DISC(${one}, ${q})`, "integer")),
    of("integer").map((one) => call(`TOPK(${one}, 2)`, "array")),
    fc
      .tuple(fc.constantFrom("MIN", "MAX", "ANY_VALUE"), kinds)
      .chain(([name, kind]) => of(kind).map((one) => call(`${name}(${one})`, kind))),
    fc
      .tuple(fc.constantFrom("ARG_MIN", "ARG_MAX"), kinds)
      .chain(([name, kind]) =>
        fc.tuple(of(kind), of("integer")).map(([x, y]) => call(`${name}(${x}, ${y})`, kind)),
      ),
    fc
      .tuple(fc.constantFrom("FIRST", "LAST"), kinds)
      .chain(([name, kind]) =>
        fc.tuple(of(kind), order).map(([x, key]) => call(`${name}(${x} ORDER BY ${key})`, kind)),
      ),
    fc.tuple(of("integer"), order).map(([x, key]) => call(`ARRAY_AGG(${x} ORDER BY ${key})`, "opaque")),
    fc.tuple(of("string"), order).map(([x, key]) => call(`STRING_AGG(${x}, '+' ORDER BY ${key})`, "string")),
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
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom("SEMI JOIN", "ANTI JOIN"), condition).map(([type, on]) => ({
        text: `${left.text} ${type} ${right.text} ON ${on}`,
        columns: left.columns,
      })),
    },
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
    .tuple(
      fc.array(calls, { minLength: 1, maxLength: 2 }),
      frames,
      fc.boolean(),
      where(from.columns),
      fc.boolean(),
    )
    .map(([list, frame, partitioned, condition, named]) => {
      const by = partitioned ? `PARTITION BY ${first.text} ` : "";
      const over = (framed: boolean): string =>
        named
          ? framed && frame !== ""
            ? `OVER (w${frame})`
            : "OVER w"
          : `OVER (${by}${order}${framed ? frame : ""})`;
      const window = named ? ` WINDOW w AS (${by}${order})` : "";
      return {
        text: `SELECT ${items([...from.columns.map(({ text }) => text), ...list.map(({ text, framed }) => `${text} ${over(framed)}`)])} FROM ${from.text}${condition}${window}`,
        kinds: [...from.columns.map(({ kind }) => kind), ...list.map(({ kind }) => kind)],
      };
    });
}

const inner = (query: QuerySpec, alias: string): From => ({
  text: `(${query.text}) AS ${alias}`,
  columns: query.kinds.flatMap((kind, i) => (kind === "opaque" ? [] : [call(`${alias}.x${i}`, kind)])),
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
          .map(([left, operator, right]) => ({ text: `${left} ${operator} ${right}`, kinds: wanted }))
          .chain((query) =>
            fc
              .tuple(fc.boolean(), ...wanted.map((kind) => expression(kind, [], 0)))
              .map(([more, ...row]) =>
                more ? { ...query, text: `${query.text} UNION ALL VALUES (${row.join(", ")})` } : query,
              ),
          );
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
        .tuple(
          projection(a, 1),
          fc.oneof(
            { weight: 5, arbitrary: aggregateOf(b.columns) },
            { weight: 1, arbitrary: fc.constant(call("DISTINCT 7", "integer")) },
          ),
          where(b.columns),
        )
        .map(([{ text, kinds }, { text: one, kind }, condition]) => ({
          text: text.replace(
            ` FROM ${a.text}`,
            () => `, (SELECT ${one} FROM ${b.text}${condition}) AS x${kinds.length} FROM ${a.text}`,
          ),
          kinds: [...kinds, kind],
        })),
    "correlated subquery": () =>
      fc
        .tuple(
          projection(a, 1),
          fc.oneof(
            aggregateOf(b.columns),
            // The row around has at most one, by the order of all columns.
            fc.constantFrom("ASC", "DESC").map((way): CallSpec => call(`q.a ${way}`, "integer", true)),
          ),
          fc.constantFrom(
            "q.a = p.a",
            "q.a < p.a",
            "q.a <> p.a",
            "q.a = p.a + 1",
            "q.a >= p.a OR q.a IS NULL",
          ),
          where(b.columns),
        )
        .map(([{ text, kinds }, { text: one, kind, framed }, on, condition]) => {
          const conditions = condition === "" ? ` WHERE (${on})` : `${condition} AND (${on})`;
          const item = framed
            ? `(SELECT q.a FROM ${b.text}${conditions} ORDER BY ${one} LIMIT 1)`
            : `(SELECT ${one} FROM ${b.text}${conditions})`;
          return {
            text: text.replace(` FROM ${a.text}`, () => `, ${item} AS x${kinds.length} FROM ${a.text}`),
            kinds: [...kinds, kind],
          };
        }),
    "quantified comparison": () =>
      fc
        .tuple(
          projection(a, 1),
          fc.constantFrom("=", "<>", "<", "<=", ">", ">="),
          fc.constantFrom("ANY", "ALL", "SOME"),
          where(b.columns),
          fc.constantFrom("", "q.a < p.a", "q.a = p.a"),
          fc.boolean(),
        )
        .map(([{ text, kinds }, operator, quantifier, condition, on, asItem]) => {
          const conditions = [condition.replace(" WHERE ", ""), on].filter((one) => one !== "");
          const under =
            conditions.length === 0 ? "" : ` WHERE ${conditions.map((one) => `(${one})`).join(" AND ")}`;
          const test = `p.a ${operator} ${quantifier} (SELECT q.a FROM ${b.text}${under})`;
          return asItem
            ? {
                text: text.replace(` FROM ${a.text}`, () => `, ${test} AS x${kinds.length} FROM ${a.text}`),
                kinds: [...kinds, "boolean" as const],
              }
            : { text: `${text}${text.includes(" WHERE ") ? " AND" : " WHERE"} ${test}`, kinds };
        }),
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
