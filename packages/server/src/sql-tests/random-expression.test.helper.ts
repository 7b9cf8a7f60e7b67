import { must } from "@hstream/proto";
import type { SqlValue } from "@hstream/sql";
import * as fc from "fast-check";

/** Random values and expressions, in the language that DuckDB has too. Expressions are text of ours. */

/** Of `real` are numbers that no two systems compute alike to the last digit: they are compared with nothing. */
export type Kind =
  | "integer"
  | "float"
  | "decimal"
  | "real"
  | "string"
  | "boolean"
  | "date"
  | "timestamp"
  | "array";

export const kinds = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Kind>("integer", "float", "string", "boolean") },
  { weight: 2, arbitrary: fc.constantFrom<Kind>("decimal", "date", "timestamp", "array") },
);
/** Of what is only selected. */
export const itemKinds = fc.oneof(
  { weight: 8, arbitrary: kinds },
  { weight: 1, arbitrary: fc.constant<Kind>("real") },
);

/** A column that an expression may name. */
export interface Reference {
  readonly text: string;
  readonly kind: Kind;
}

const texts = ["", "a", "A", "ab", "b%", "é", " x ", "a1b"] as const;
const day = 86_400_000;
/** Ends of months and years, and the day before 1970. */
const days = [-1, 0, 58, 19_753, 19_782, 19_722] as const;
const hours = [0, 1, 13.5, 23.75] as const;

/** -2.00 to 3.00 in quarters, in the one form that decimals have. */
function quarterDecimal(quarters: number): SqlValue {
  let [unscaled, scale] = [quarters * 25, 2];
  while (scale > 0 && unscaled % 10 === 0) {
    unscaled /= 10;
    scale -= 1;
  }
  return { kind: "decimal", unscaled: BigInt(unscaled), scale };
}

const valueOf: Readonly<Record<Kind, fc.Arbitrary<SqlValue>>> = {
  // Few, so that keys meet.
  integer: fc.integer({ min: -1, max: 3 }),
  // Quarters, so that sums are exact in any order.
  float: fc.integer({ min: -8, max: 12 }).map((quarters) => quarters / 4),
  decimal: fc.integer({ min: -8, max: 12 }).map(quarterDecimal),
  real: fc.constantFrom(0.25, 1, 2.25),
  string: fc.constantFrom(...texts),
  boolean: fc.boolean(),
  date: fc.constantFrom(...days).map((one): SqlValue => ({ kind: "date", days: one })),
  timestamp: fc
    .tuple(fc.constantFrom(...days), fc.constantFrom(...hours))
    .map(([one, hour]): SqlValue => ({ kind: "timestamp", ms: one * day + hour * 3_600_000 })),
  array: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 3 }),
};

export const rowOf = (columns: readonly { readonly kind: Kind }[]): fc.Arbitrary<SqlValue[]> =>
  fc.tuple(...columns.map(({ kind }) => fc.option(valueOf[kind], { freq: 5 }))).map((row) => [...row]);

export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

const quarters = fc
  .integer({ min: -8, max: 12 })
  .map((one) => (one / 4).toFixed(2))
  .map((value) => (value.startsWith("-") ? `(${value})` : value));

export function literalOf(kind: Kind): fc.Arbitrary<string> {
  switch (kind) {
    case "integer":
      return fc.integer({ min: -3, max: 6 }).map((value) => (value < 0 ? `(${value})` : String(value)));
    case "float":
      return quarters;
    case "decimal":
      return quarters.map((value) => `CAST(${text(value.replace(/[()]/g, ""))} AS DECIMAL)`);
    case "real":
      return fc.constantFrom("SQRT(2.25)", "SQRT(0.25)");
    case "string":
      return fc.constantFrom(...texts).map(text);
    case "boolean":
      return fc.constantFrom("TRUE", "FALSE");
    case "date":
      return fc.constantFrom("DATE '2024-02-29'", "DATE '1969-12-31'");
    case "timestamp":
      return fc.constantFrom("TIMESTAMP '2024-02-29T12:30:00Z'", "TIMESTAMP '1970-01-01T00:00:00Z'");
    case "array":
      return fc.constantFrom("[1, 2]", "[0]", "[2, 1, 2]");
  }
}

/**
 * What gives each kind: `$kind` stands for an expression of that kind, `«a¦b»` for one of several words. Nothing here
 * leaves the numbers that both systems have, as DuckDB ends a query where we give NULL.
 */
const templates: readonly (readonly [Kind, string])[] = [
  ["integer", "($integer «+¦-¦*» $integer)"],
  ["integer", "($integer «%¦/¦DIV» «2¦3¦(-2)»)"],
  ["integer", "($integer % $integer)"],
  ["integer", "«ABS¦-»($integer)"],
  ["integer", "«CEIL¦FLOOR¦SIGN¦ROUND»($float)"],
  ["integer", "LENGTH($string)"],
  ["integer", "IF($boolean, $integer, $integer)"],
  ["integer", "CAST($«float¦boolean¦decimal» AS INTEGER)"],
  ["integer", "«GREATEST¦LEAST»($integer, $integer)"],
  ["integer", "«GCD¦LCM¦XOR¦BIT_AND_OF¦BIT_OR_OF»(ABS($integer) % 8, ABS($integer) % 8)"],
  ["integer", "FACTORIAL(ABS($integer) % 6)"],
  ["integer", "BIT_SHIFT_RIGHT(ABS($integer), «0¦1»)"],
  ["integer", "MOD($integer, 3)"],
  ["integer", "«STRPOS¦REGEXP_COUNT»($string, «'a'¦'b'»)"],
  ["integer", "«ASCII¦OCTET_LENGTH»($string)"],
  ["integer", "«YEAR¦QUARTER¦MONTH¦WEEK¦DAY¦DAYOFWEEK¦DAYOFYEAR»($«date¦timestamp»)"],
  ["integer", "«HOUR¦MINUTE¦SECOND»($timestamp)"],
  // Small enough that products of products are INTEGERs, wherever DuckDB evaluates a condition.
  ["integer", "(«EPOCH¦EPOCH_MS»($timestamp) % 1009)"],
  ["integer", "EXTRACT(«YEAR¦MONTH¦DAY¦DOW¦HOUR» FROM $timestamp)"],
  ["integer", "DATE_DIFF('«year¦quarter¦month¦week¦day»', $date, $date)"],
  ["integer", "(DATE_DIFF('«month¦day¦hour¦minute»', $timestamp, $timestamp) % 1009)"],
  ["integer", "ARRAY_«LENGTH¦SUM¦MAX¦MIN»($array)"],
  ["integer", "ARRAY_POSITION($array, «0¦1»)"],
  ["integer", "($array)[«0¦1¦2»]"],
  ["integer", "JSON_ARRAY_LENGTH(«'[]'¦'[1, [2, 3]]'»)"],
  ["integer", `CAST(JSON_EXTRACT('{"a": [7, {"b": 8}]}', «'$.a[0]'¦'$.a[1].b'¦'$.c'») AS INTEGER)`],
  ["integer", `CAST(PARSE_JSON('{"a": 5}') -> «'a'¦'b'» AS INTEGER)`],
  ["float", "($float «+¦-¦*» $float)"],
  ["float", "($float / $float)"],
  ["float", "(CAST($integer AS FLOAT) / «2¦4¦(-2)»)"],
  ["float", "CAST($«integer¦decimal» AS FLOAT)"],
  ["float", "«ABS¦TRUNC»($float)"],
  ["float", "ARRAY_AVG(«[1, 2]¦[3]»)"],
  ["decimal", "($decimal «+¦-» $decimal)"],
  ["decimal", "CAST($integer % 100 AS DECIMAL)"],
  ["decimal", "ABS($decimal)"],
  ["real", "«SIN¦COS¦TAN¦ATAN¦SINH¦COSH¦TANH¦ASINH¦CBRT¦DEGREES¦RADIANS»($float % 4)"],
  ["real", "«SQRT¦EXP»(ABS($float) % 4)"],
  ["real", "«LN¦LOG¦LOG2¦LOG10¦ACOSH¦COT»(1.5 + ABS($float % 2))"],
  ["real", "«ASIN¦ACOS¦ATANH»(($float % 1) / 2.0)"],
  ["real", "POWER(ABS($float) + 0.5, «2¦0.5¦(-1)»)"],
  ["real", "ATAN2($float, 1 + ABS($float))"],
  ["real", "(PI() * $float)"],
  ["string", "($string || $string)"],
  ["string", "«UPPER¦LOWER¦TRIM¦LTRIM¦RTRIM¦REVERSE»($string)"],
  ["string", "SUBSTRING($string, «1¦2¦3», «0¦1¦2»)"],
  ["string", "CAST($«integer¦boolean¦date¦timestamp» AS STRING)"],
  ["string", "REPLACE($string, «'a'¦'b'», $string)"],
  ["string", "«LPAD¦RPAD»($string, «0¦2¦4», '-')"],
  ["string", "REPEAT($string, «0¦1¦2»)"],
  ["string", "«TAKE¦TAKEEND¦DROP¦DROPEND»(«0¦1¦2», $string)"],
  ["string", "SPLIT_PART($string, «'a'¦'b'», «1¦2»)"],
  ["string", "TRANSLATE($string, 'ab', 'b')"],
  ["string", "CHR(65 + ABS($integer) % 20)"],
  ["string", "«HEX¦TO_BASE64»($string)"],
  ["string", "DECODE_UTF8(UNHEX(HEX($string)))"],
  ["string", "DECODE_UTF8(FROM_BASE64(TO_BASE64($string)))"],
  ["string", "ARRAY_JOIN(TO_CHARS($string || 'a'), '.')"],
  ["string", "ARRAY_JOIN(REGEXP_SPLIT($string || '-', 'a|1'), '.')"],
  ["string", "CONCAT($string, $string, $integer)"],
  ["string", "CONCAT_WS('-', $string, $string)"],
  ["string", "REGEXP_REPLACE($string, «'[ab]'¦'^a'¦'b$'¦'(a|1)+'», «'x'¦''»)"],
  ["string", "REGEXP_REPLACE($string, '[a-b]', '#', 'g')"],
  ["string", "REGEXP_EXTRACT($string, «'[0-9]'¦'a.'¦'^ *'»)"],
  ["string", "ARRAY_JOIN($array, «','¦'--'»)"],
  [
    "string",
    "ARRAY_JOIN(«REGEXP_EXTRACT_ALL($string, '[ab]')¦SPLIT('a', $string)¦JSON_KEYS('{\"k\": 1, \"l\": 2}'::JSONB)», '+')",
  ],
  ["string", `JSON_VALUE('{"a": "x", "b": 7}', «'$.a'¦'$.b'¦'$.c'»)`],
  ["string", "(JSON_OBJECT('a', $integer, 'b', $string) ->> «'a'¦'b'»)"],
  ["string", "STRFTIME($«date¦timestamp», «'%Y-%m-%d'¦'%d.%m.%y %H:%M'¦'%j %a %b'»)"],
  ["boolean", "($integer «=¦<>¦<¦<=¦>¦>=» $«integer¦float¦decimal»)"],
  ["boolean", "($float «=¦<>¦<¦<=¦>¦>=¦IS DISTINCT FROM¦IS NOT DISTINCT FROM» $float)"],
  ["boolean", "($integer «IS DISTINCT FROM¦IS NOT DISTINCT FROM» $integer)"],
  ["boolean", "($string «=¦<>¦<¦<=¦>¦>=¦IS DISTINCT FROM¦IS NOT DISTINCT FROM» $string)"],
  ["boolean", "($boolean «=¦<>¦<¦<=¦>¦>=¦IS DISTINCT FROM¦IS NOT DISTINCT FROM» $boolean)"],
  ["boolean", "($decimal «=¦<>¦<¦<=¦>¦>=» $decimal)"],
  ["boolean", "($date «=¦<>¦<¦<=¦>¦>=» $date)"],
  ["boolean", "($timestamp «=¦<>¦<¦<=¦>¦>=¦IS DISTINCT FROM» $timestamp)"],
  ["boolean", "($array «=¦<>¦<¦>=» $array)"],
  ["boolean", "($boolean «AND¦OR» $boolean)"],
  ["boolean", "(NOT $boolean)"],
  ["boolean", "«STARTS_WITH¦ENDS_WITH¦CONTAINS»($string, $string)"],
  ["boolean", "($«integer¦string¦date¦decimal¦array» «IS NULL¦IS NOT NULL»)"],
  ["boolean", "($boolean «IS TRUE¦IS NOT TRUE¦IS FALSE¦IS NOT FALSE»)"],
  ["boolean", "($integer «BETWEEN¦NOT BETWEEN» $integer AND $integer)"],
  ["boolean", "(($integer + 0) BETWEEN $integer AND $integer)"],
  ["boolean", "($date BETWEEN $date AND $date)"],
  ["boolean", "($integer «IN¦NOT IN» ($integer, «1¦2»))"],
  ["boolean", "($string «IN¦NOT IN» ($string, 'a'))"],
  ["boolean", "($string «LIKE¦ILIKE¦NOT LIKE» «'%'¦'a%'¦'_'¦'%b%'¦'b\\%'»)"],
  ["boolean", "($string LIKE '%!%%' ESCAPE '!')"],
  ["boolean", "REGEXP_MATCHES($string, «'[ab]+'¦'^a'¦'b$'¦'(a|b)1?'¦'é'»)"],
  ["boolean", "ARRAY_CONTAINS($array, «0¦1»)"],
  ["boolean", "ARRAY_OVERLAP($array, $array)"],
  ["boolean", `JSON_EXISTS('{"a": null}', «'$.a'¦'$.b'»)`],
  ["boolean", "JSON_VALID(«'{}'¦'{'»)"],
  ["boolean", "CAST($integer AS BOOLEAN)"],
  ["date", "CAST($timestamp AS DATE)"],
  ["date", "LAST_DAY($date)"],
  ["date", "DATE_TRUNC('«year¦quarter¦month¦week»', $date)"],
  ["date", "MAKE_DATE(2024, «1¦2¦12», «1¦29»)"],
  ["timestamp", "CAST($date AS TIMESTAMP)"],
  ["timestamp", "($«date¦timestamp» «+¦-» INTERVAL «1 DAY¦2 HOUR¦1 MONTH¦90 SECOND»)"],
  ["timestamp", "DATE_ADD($timestamp, INTERVAL 1 YEAR)"],
  ["timestamp", "DATE_TRUNC('«year¦month¦week¦day¦hour¦minute»', $timestamp)"],
  ["timestamp", "TIME_BUCKET(INTERVAL «15 MINUTE¦1 HOUR», $timestamp)"],
  ["timestamp", "TO_TIMESTAMP($integer % 100)"],
  ["timestamp", "TIMESTAMP_MS($integer * 1000)"],
  ["timestamp", "MAKE_TIMESTAMP(2024, «1¦2», 29, «0¦23», 59, 30)"],
  ["timestamp", "STRPTIME(«'2024-02-29 01:02'¦'1999-12-31 23:59'», '%Y-%m-%d %H:%M')"],
  ["array", "[«0¦1», «1¦2»]"],
  ["array", "ARRAY_«SORT¦REVERSE»($array)"],
  ["array", "ARRAY_CONCAT($array, $array)"],
  ["array", "($array || $array)"],
  ["array", "ARRAY_«APPEND¦PREPEND»($array, «0¦1»)"],
  ["array", "ARRAY_SORT(ARRAY_DISTINCT($array))"],
  ["array", "ARRAY_SORT(ARRAY_«UNION¦EXCEPT¦INTERSECT»($array, $array))"],
  ["array", "ARRAY_REMOVE($array, «0¦1»)"],
  ["array", "ARRAY_FLATTEN([IFNULL($array, [0]), [«1¦2»]])"],
  ["array", "GENERATE_SERIES(1, ABS(IFNULL($integer, 0)) % 4)"],
  ["array", "([0, 1, 2, 3])[«0¦1»:«1¦2¦3»]"],
];

const general = (kind: Kind): readonly string[] => [
  `CASE WHEN $boolean THEN $${kind} ELSE $${kind} END`,
  `CASE $integer WHEN 1 THEN $${kind} WHEN 2 THEN $${kind} END`,
  `COALESCE($${kind}, $${kind})`,
  `IFNULL($${kind}, $${kind})`,
  ...(kind === "real" ? [] : [`NULLIF($${kind}, $${kind})`]),
];

const templatesOf = (kind: Kind): readonly string[] => [
  ...general(kind),
  ...templates.flatMap(([of, template]) => (of === kind ? [template] : [])),
];

/** An expression of that kind over the columns. */
export function expression(kind: Kind, columns: readonly Reference[], depth: number): fc.Arbitrary<string> {
  const own = columns.filter((column) => column.kind === kind);
  const leaf =
    own.length === 0
      ? literalOf(kind)
      : fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom(...own.map((column) => column.text)) },
          { weight: 1, arbitrary: literalOf(kind) },
        );
  if (depth === 0) return leaf;
  const made = fc
    .constantFrom(...templatesOf(kind))
    .chain(chosen)
    .chain((template) => {
      const parts = template.split(/\$([a-z]+)/);
      const holes = parts.flatMap((part, i) => (i % 2 === 1 ? [part as Kind] : []));
      return fc.tuple(...holes.map((of) => expression(of, columns, depth - 1))).map((filled) => {
        return parts.map((part, i) => (i % 2 === 0 ? part : must(filled[i >> 1], "a part"))).join("");
      });
    });
  return fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 5, arbitrary: made });
}

/** The template with one word of each choice. */
function chosen(template: string): fc.Arbitrary<string> {
  const parts = template.split(/«([^»]*)»/);
  const choices = parts.flatMap((part, i) => (i % 2 === 1 ? [fc.constantFrom(...part.split("¦"))] : []));
  return fc
    .tuple(...choices)
    .map((words) => parts.map((part, i) => (i % 2 === 0 ? part : must(words[i >> 1], "a word"))).join(""));
}
