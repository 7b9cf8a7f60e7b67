import type { SqlType } from "@hstream/sql";

/**
 * Our functions in DuckDB's words, and every intended difference: where the two languages differ on purpose, DuckDB is
 * told to do what we do, by one of the rules below; each has a test that fails when the two come to agree.
 */

/** An intended difference: how our function is said in DuckDB, and a case in which plain SQL gives another answer. */
export interface Rule {
  readonly name: string;
  /** What the difference is, for docs/sql/differences.md. */
  readonly difference: string;
  /** An expression that both can read, and for which they do not agree. */
  readonly example: string;
  /** The same in DuckDB's words, where it has others. */
  readonly theirs: string;
}

const rule = (name: string, difference: string, example: string, theirs = example): Rule => ({
  name,
  difference,
  example,
  theirs,
});

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
  textOfBoolean: rule(
    "text of a BOOLEAN",
    "TRUE and FALSE are written in capitals.",
    "CAST(1 = 1 AS STRING)",
  ),
  textOfFloat: rule(
    "text of a FLOAT",
    "A whole number is written without a point.",
    "CAST(CAST(1 AS FLOAT) AS STRING)",
  ),
  textOfTimestamp: rule(
    "text of a TIMESTAMP",
    "Written as ISO 8601 has it, with its zone: `2024-01-31T12:00:00Z`.",
    "CAST(TIMESTAMP '2024-01-31 12:00:00' AS STRING)",
  ),
  daysBetween: rule(
    "difference of two DATEs",
    "It is an INTERVAL; in DuckDB a number of days.",
    "DATE '2024-01-02' - DATE '2024-01-01'",
  ),
  arrayPositions: rule("positions in arrays", "They count from 0; in DuckDB from 1.", "([5, 6, 7])[1]"),
  arrayNulls: rule(
    "NULL in arrays",
    "ARRAY_CONTAIN looks NULL up like any element; in DuckDB NULL is never found.",
    "ARRAY_CONTAINS([1, NULL], NULL)",
  ),
  arrayAppend: rule(
    "ARRAY_APPEND to NULL",
    "NULL, as of every function; DuckDB makes an array of the one element.",
    "ARRAY_APPEND(CAST(NULL AS INTEGER[]), 1)",
  ),
  noMatch: rule(
    "REGEXP_EXTRACT without a match",
    "NULL; in DuckDB an empty text.",
    "REGEXP_EXTRACT('abc', '[0-9]')",
  ),
  logIsNatural: rule(
    "LOG",
    "LOG is the natural logarithm, as the first dialects had it; in DuckDB to base 10.",
    "LOG(100)",
  ),
  correlationOfNone: rule(
    "CORR and REGR_SLOPE of what does not vary",
    "NULL, since there is none; in DuckDB NaN.",
    "CORR(1, 2)",
  ),
  approximate: rule(
    "approximate functions",
    "APPROX_COUNT_DISTINCT and APPROX_QUANTILE are sketches of other kinds than DuckDB's; the comparison takes exact counts, as few values give.",
    "APPROX_QUANTILE(7, 0.5)",
  ),
  topOfNone: rule(
    "TOPK of nothing",
    "An empty array; DuckDB's MAX(x, n) gives NULL.",
    "TOPK(CAST(NULL AS INTEGER), 2)",
    "max(CAST(NULL AS INTEGER), 2)",
  ),
  epochWhole: rule(
    "EPOCH",
    "Whole seconds; in DuckDB with their fraction.",
    "EPOCH(TIMESTAMP '1970-01-01 00:00:01.5')",
  ),
  weeksBetween: rule(
    "DATE_DIFF in weeks",
    "The Mondays between two moments, as other units count their beginnings; in DuckDB a seventh of the days.",
    "DATE_DIFF('week', DATE '2024-02-29', DATE '2024-03-04')",
  ),
  truncatedNull: rule(
    "DATE_TRUNC of NULL",
    "NULL, and so is a comparison with it; DuckDB 1.5.5 may take such a comparison to be TRUE.",
    "(SELECT COUNT(*) FROM (SELECT 1 AS a, CAST(NULL AS DATE) AS b) AS p FULL JOIN (SELECT 2 AS a) AS q ON p.a = q.a WHERE DATE '1969-12-31' <> DATE_TRUNC('month', p.b))",
  ),
} as const;

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
  "%": ({ a, b, type }) => (type.kind === "integer" ? `(${a} % ${b})` : `(${a} % NULLIF(${b}, 0))`),
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
  IF: ({ a, b, c }) => `(CASE WHEN ${a} THEN ${b} ELSE ${c} END)`,
  // Numbers
  SIN: prefix("sin"),
  COS: prefix("cos"),
  TAN: prefix("tan"),
  COT: prefix("cot"),
  ASIN: prefix("asin"),
  ACOS: prefix("acos"),
  ATAN: prefix("atan"),
  ATAN2: prefix("atan2"),
  SINH: prefix("sinh"),
  COSH: prefix("cosh"),
  TANH: prefix("tanh"),
  ASINH: prefix("asinh"),
  ACOSH: prefix("acosh"),
  ATANH: prefix("atanh"),
  EXP: prefix("exp"),
  SQRT: prefix("sqrt"),
  CBRT: prefix("cbrt"),
  LN: prefix("ln"),
  // rules.logIsNatural
  LOG: prefix("ln"),
  LOG2: prefix("log2"),
  LOG10: prefix("log10"),
  POWER: prefix("pow"),
  DEGREES: prefix("degrees"),
  RADIANS: prefix("radians"),
  PI: prefix("pi"),
  MOD: infix("%"),
  GCD: prefix("gcd"),
  LCM: prefix("lcm"),
  FACTORIAL: ({ a }) => `CAST(factorial(CAST(${a} AS INTEGER)) AS BIGINT)`,
  BIT_AND_OF: infix("&"),
  BIT_OR_OF: infix("|"),
  XOR: prefix("xor"),
  BIT_SHIFT_RIGHT: infix(">>"),
  // rules.roundsToInteger
  ROUND: ({ a, b }) => (b === "" ? `CAST(round(${a}) AS BIGINT)` : `round(${a}, CAST(${b} AS INTEGER))`),
  TRUNC: prefix("trunc"),
  // Texts
  TAKE: ({ a, b }) => `left(${b}, ${a})`,
  TAKEEND: ({ a, b }) => `right(${b}, ${a})`,
  DROP: ({ a, b }) => `substring(${b}, ${a} + 1)`,
  DROPEND: ({ a, b }) => `left(${b}, greatest(0, length(${b}) - ${a}))`,
  SPLIT: ({ a, b }) => `string_split(${b}, ${a})`,
  SPLIT_PART: prefix("split_part"),
  POSITION_OF: prefix("instr"),
  TRANSLATE: prefix("translate"),
  ASCII: prefix("ascii"),
  CHR: ({ a }) => `chr(CAST(${a} AS INTEGER))`,
  OCTET_LENGTH: prefix("strlen"),
  HEX: prefix("hex"),
  UNHEX: prefix("unhex"),
  DECODE_UTF8: prefix("decode"),
  TO_BASE64: ({ a }) => `to_base64(encode(${a}))`,
  FROM_BASE64: prefix("from_base64"),
  TO_CHARS: ({ a }) => `string_split(${a}, '')`,
  REGEXP_SPLIT: prefix("regexp_split_to_array"),
  CONCAT: prefix("concat"),
  CONCAT_WS: prefix("concat_ws"),
  REGEXP_MATCHES: prefix("regexp_matches"),
  REGEXP_REPLACE: prefix("regexp_replace"),
  // rules.noMatch
  REGEXP_EXTRACT: ({ a, b }) => `(CASE WHEN regexp_matches(${a}, ${b}) THEN regexp_extract(${a}, ${b}) END)`,
  REGEXP_EXTRACT_ALL: prefix("regexp_extract_all"),
  REGEXP_COUNT: ({ a, b }) => `len(regexp_extract_all(${a}, ${b}))`,
  // Dates
  YEAR: prefix("year"),
  QUARTER: prefix("quarter"),
  MONTH: prefix("month"),
  WEEK: prefix("week"),
  DAY: prefix("day"),
  DAYOFWEEK: prefix("dayofweek"),
  DAYOFYEAR: prefix("dayofyear"),
  HOUR: prefix("hour"),
  MINUTE: prefix("minute"),
  SECOND: prefix("second"),
  // rules.epochWhole: the generator's moments have no fraction.
  EPOCH: ({ a }) => `CAST(epoch(${a}) AS BIGINT)`,
  EPOCH_MS: prefix("epoch_ms"),
  LAST_DAY: prefix("last_day"),
  DATE_PART: ({ a, b }) => `CAST(date_part(${a}, ${b}) AS BIGINT)`,
  // rules.truncatedNull. Of a DATE, DuckDB's is a TIMESTAMP.
  DATE_TRUNC: ({ a, b, type }) => {
    const truncated =
      type.kind === "date" ? `CAST(date_trunc(${a}, ${b}) AS DATE)` : `date_trunc(${a}, ${b})`;
    return `CASE WHEN ${b} IS NOT NULL THEN ${truncated} END`;
  },
  // rules.weeksBetween
  DATE_DIFF: ({ a, b, c }) =>
    `CASE WHEN lower(${a}) = 'week' THEN date_diff('day', date_trunc('week', ${b}), date_trunc('week', ${c})) // 7 ` +
    `ELSE date_diff(${a}, ${b}, ${c}) END`,
  DATE_ADD: infix("+"),
  STRFTIME: prefix("strftime"),
  STRPTIME: prefix("strptime"),
  MAKE_DATE: prefix("make_date"),
  TO_TIMESTAMP: ({ a }) => `make_timestamp(CAST(${a} AS BIGINT) * 1000000)`,
  TIMESTAMP_MS: ({ a }) => `make_timestamp(CAST(${a} AS BIGINT) * 1000)`,
  MAKE_TIMESTAMP: prefix("make_timestamp"),
  TIME_BUCKET: ({ a, b }) => `time_bucket(${a}, ${b}, TIMESTAMP '1970-01-01 00:00:00')`,
  // Arrays: the generator puts no NULL into them (rules.arrayNulls).
  ARRAY: ({ args }) => `[${list(args)}]`,
  ARRAY_LENGTH: prefix("len"),
  ARRAY_CONTAIN: prefix("list_contains"),
  ARRAY_SORT: ({ a }) => `list_sort(${a}, 'ASC', 'NULLS LAST')`,
  ARRAY_REVERSE: prefix("list_reverse"),
  ARRAY_CONCAT: infix("||"),
  // rules.arrayAppend
  ARRAY_APPEND: ({ a, b }) => `(${a} || [${b}])`,
  ARRAY_PREPEND: ({ a, b }) => `([${b}] || ${a})`,
  ARRAY_SUM: ({ a }) => `CAST(list_sum(${a}) AS BIGINT)`,
  ARRAY_AVG: prefix("list_avg"),
  ARRAY_MAX: prefix("list_max"),
  ARRAY_MIN: prefix("list_min"),
  ARRAY_DISTINCT: prefix("list_distinct"),
  ARRAY_UNION: ({ a, b }) => `list_distinct(${a} || ${b})`,
  ARRAY_EXCEPT: ({ a, b }) =>
    `(CASE WHEN ${b} IS NOT NULL THEN list_distinct(list_filter(${a}, lambda x: NOT list_contains(${b}, x))) END)`,
  ARRAY_INTERSECT: ({ a, b }) => `(CASE WHEN ${b} IS NOT NULL THEN list_intersect(${a}, ${b}) END)`,
  ARRAY_REMOVE: ({ a, b }) => `list_filter(${a}, lambda x: x <> ${b})`,
  ARRAY_POSITION: ({ a, b }) => `(list_position(${a}, ${b}) - 1)`,
  ARRAY_OVERLAP: prefix("list_has_any"),
  ARRAY_JOIN: ({ a, b }) => `array_to_string(${a}, ${b === "" ? "','" : b})`,
  ARRAY_FLATTEN: prefix("flatten"),
  GENERATE_SERIES: prefix("generate_series"),
  // rules.arrayPositions
  "[]": ({ a, b }) => `(${a})[${b} + 1]`,
  "[:]": ({ a, b, c }) => `(${a})[${b} + 1:${c} + 1]`,
  // JSON
  "->": infix("->"),
  "->>": infix("->>"),
  JSON_EXTRACT: prefix("json_extract"),
  JSON_VALUE: prefix("json_extract_string"),
  JSON_EXISTS: prefix("json_exists"),
  // DuckDB's has no sign, and with a BIGINT gives 128 bits.
  JSON_ARRAY_LENGTH: ({ args }) => `CAST(json_array_length(${list(args)}) AS BIGINT)`,
  JSON_KEYS: prefix("json_keys"),
  JSON_VALID: prefix("json_valid"),
  JSON_OBJECT: prefix("json_object"),
  PARSE_JSON: ({ a }) => `CAST(${a} AS JSON)`,
};

/** An aggregate's arguments and what else it says, in DuckDB's words. */
interface Aggregate {
  readonly args: readonly string[];
  readonly distinct: string;
  /** Of an aggregate with an order: its keys. */
  readonly order: string;
  readonly type: SqlType;
}

/** A call, given the FILTER that stands behind each aggregate in it, and a further condition on its rows. */
interface Said {
  readonly call: (filter: string) => string;
  readonly where?: string;
}

const called =
  (name: string) =>
  ({ args, distinct }: Aggregate): Said => ({
    call: (filter) => `${name}(${distinct}${args.length === 0 ? "*" : list(args)})${filter}`,
  });

/** Only of what varies: rules.correlationOfNone. */
const varying =
  (name: string, only: "both" | "second") =>
  ({ args }: Aggregate): Said => {
    const [a = "", b = ""] = args;
    return {
      call: (filter) => {
        const still = (one: string, other: string): string =>
          `var_pop(CASE WHEN ${other} IS NOT NULL THEN ${one} END)${filter} = 0`;
        const none = only === "both" ? `${still(a, b)} OR ${still(b, a)}` : still(b, a);
        return `CASE WHEN ${none} THEN NULL ELSE ${name}(${list(args)})${filter} END`;
      },
    };
  };

/** How each aggregate that the generator knows is said. */
export const aggregateCalls: Readonly<Record<string, (call: Aggregate) => Said>> = {
  COUNT: called("count"),
  // DuckDB's is of 128 bits, which not all of its functions take.
  SUM: ({ args: [a = ""], distinct, type }) => ({
    call: (filter) => {
      const sum = `sum(${distinct}${a})${filter}`;
      return type.kind === "integer" ? `CAST(${sum} AS BIGINT)` : sum;
    },
  }),
  AVG: called("avg"),
  MIN: called("min"),
  MAX: called("max"),
  BOOL_AND: called("bool_and"),
  BOOL_OR: called("bool_or"),
  MEDIAN: called("median"),
  // rules.countIfOfNone
  COUNT_IF: ({ args: [a = ""] }) => ({ call: (filter) => `count(CASE WHEN ${a} THEN 1 END)${filter}` }),
  // A scalar subquery that gives more than one row is an error in both; the generator makes none.
  SINGLE_VALUE: called("any_value"),
  // Some value: ours is the least.
  ANY_VALUE: called("min"),
  VAR_POP: called("var_pop"),
  VAR_SAMP: called("var_samp"),
  STDDEV_POP: called("stddev_pop"),
  STDDEV_SAMP: called("stddev_samp"),
  COVAR_POP: called("covar_pop"),
  COVAR_SAMP: called("covar_samp"),
  CORR: varying("corr", "both"),
  REGR_SLOPE: varying("regr_slope", "second"),
  REGR_INTERCEPT: varying("regr_intercept", "second"),
  QUANTILE: called("quantile_cont"),
  QUANTILE_DISC: called("quantile_disc"),
  // rules.approximate
  APPROX_COUNT_DISTINCT: ({ args: [a = ""] }) => ({ call: (filter) => `count(DISTINCT ${a})${filter}` }),
  // rules.topOfNone
  TOPK: ({ args: [a = "", k = ""] }) => ({ call: (filter) => `coalesce(max(${a}, ${k})${filter}, [])` }),
  // Of equal ones that with the least and the greatest value.
  ARG_MIN: ({ args: [x = "", y = ""] }) => ({
    call: (filter) => `first(${x} ORDER BY ${y} ASC, ${x} ASC NULLS LAST)${filter}`,
    where: `${y} IS NOT NULL`,
  }),
  ARG_MAX: ({ args: [x = "", y = ""] }) => ({
    call: (filter) => `first(${x} ORDER BY ${y} DESC, ${x} DESC NULLS FIRST)${filter}`,
    where: `${y} IS NOT NULL`,
  }),
  "ARRAY_AGG ORDER BY": ({ args: [a = ""], distinct, order }) => {
    const last = distinct === "" ? `, ${a} NULLS LAST` : "";
    return { call: (filter) => `array_agg(${distinct}${a} ORDER BY ${order}${last})${filter}` };
  },
  "STRING_AGG ORDER BY": ({ args: [a = "", separator = ""], order }) => {
    const between = separator === "NULL" ? "','" : separator;
    return { call: (filter) => `string_agg(${a}, ${between} ORDER BY ${order}, ${a})${filter}` };
  },
  "EARLIEST ORDER BY": ({ args: [a = ""], order }) => ({
    call: (filter) => `first(${a} ORDER BY ${order}, ${a} NULLS LAST)${filter}`,
  }),
  "LATEST ORDER BY": ({ args: [a = ""], order }) => ({
    call: (filter) => `last(${a} ORDER BY ${order}, ${a} NULLS LAST)${filter}`,
  }),
};

function list(parts: readonly string[]): string {
  return parts.join(", ");
}
