const reasons: readonly (readonly [string, string])[] = [
  ["TO_STR CHUNKSOF INITCAP WIDTH_BUCKET TOPKDISTINCT DATETOSTRING STRINGTODATE", "DuckDB has none"],
  ["NOW CURRENT_DATE", "the clock of the two differs"],
  [
    "IS_INT IS_FLOAT IS_NUM IS_BOOL IS_STR IS_ARRAY IS_MAP IS_DATE IS_TIME TYPEOF JSON_TYPE",
    "asks for the type of a value, which DuckDB knows of columns only",
  ],
  ["BIT_SHIFT_LEFT", "DuckDB refuses what does not fit, ours drops it"],
  ["MAKE_INTERVAL", "gives an INTERVAL, which the generator makes only as a literal"],
  ["#> #>>", "DuckDB's paths are JSON pointers"],
  ["TO_JSON JSON_MERGE", "the two write JSON texts differently, blanks and order of keys"],
  ["MODE", "of equally frequent values any is right"],
  ["APPROX_QUANTILE", "a sketch of another kind: rules.approximate"],
];

/** Functions that the comparison with DuckDB leaves out, and why. */
export const uncovered: ReadonlyMap<string, string> = new Map(
  reasons.flatMap(([names, reason]) => names.split(" ").map((name) => [name, reason] as const)),
);
