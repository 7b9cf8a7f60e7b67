import type { BoundQuery } from "../bind/bound-statement.js";
import { chooseAppendOnly } from "./choose-append-only.js";
import { chooseTopN } from "./choose-top-n.js";
import { closeWindows } from "./close-windows.js";
import { extractEqualities } from "./extract-equalities.js";
import { foldConstants } from "./fold-constants.js";
import { mergeProjections } from "./merge-projections.js";
import { orderJoins } from "./order-joins.js";
import { pruneColumns } from "./prune-columns.js";
import { pushPredicates } from "./push-predicates.js";
import { readFields } from "./read-fields.js";
import { type PassRecord, runPass } from "./run-pass.js";

/*
 * Not done, because it is wrong here: filters below a LIMIT; anything below an aggregate that is not about its
 * keys; a filter below the side of an outer join whose rows stay without a partner; reordering operands of AND (an error in one would be counted where it was not); folding what fails
 * (the error belongs to each row).
 */
const passes = [
  // First: a predicate that folds to TRUE need not be pushed.
  ["fold constants", foldConstants],
  ["push predicates", pushPredicates],
  // What is taken of a record shows once the projections between are gone.
  ["merge projections", mergeProjections],
  ["read fields", readFields],
  // Conditions of WHERE have come to the joins by now.
  ["order joins", orderJoins],
  ["extract equalities", extractEqualities],
  // Filters on row numbers stand right above their windows.
  ["choose top-n", chooseTopN],
  // After the predicates have found their place, or columns would be read only to be handed through.
  ["prune columns", pruneColumns],
] as const;

export interface OptimisedQuery extends BoundQuery {
  /** The plan as bound. */
  readonly original: BoundQuery["plan"];
  /** What each pass made of it, without those that changed nothing. */
  readonly passes: readonly PassRecord[];
}

export function optimise(query: BoundQuery): OptimisedQuery {
  const records: PassRecord[] = [];
  let plan = query.plan;
  for (const [name, pass] of passes) plan = runPass(name, pass, plan, records);
  if (query.emit.kind !== "pull") {
    const final = query.emit.kind === "final" || query.final === true;
    plan = runPass("close windows", (before) => closeWindows(before, final), plan, records);
  }
  // Depends on how the query runs: a pull sees insertions only.
  const finite = query.emit.kind === "pull";
  plan = runPass("choose append-only", (before) => chooseAppendOnly(before, finite), plan, records);
  return { ...query, plan, original: query.plan, passes: records };
}
