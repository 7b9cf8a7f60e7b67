import type { Expression } from "../plan/expression.js";
import { columnExpression, columnsOf, type LogicalColumn, type LogicalPlan } from "../plan/logical.js";
import { columnsIn, conjunction, conjunctsOf, isVolatile, replaceColumns } from "../plan/rewrite.js";
import { costsMuch, costsNothing } from "./costs.js";
import { mapPlan } from "./map-plan.js";

/**
 * Moves filters towards the sources: two in a row become one, through projections (their expressions put in
 * for their columns), through sorts without a limit, below an aggregate, a window or a top-n what reads only its
 * keys, into each input of a UNION, and to the sides of a join whose rows they alone decide on.
 */
export function pushPredicates(plan: LogicalPlan): LogicalPlan {
  const pushed = pushOnce(plan);
  return pushed === plan ? plan : pushPredicates(pushed);
}

function pushOnce(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => {
    if (node.kind === "filter") return pushFilter(node);
    return node.kind === "join" ? pushCondition(node) : node;
  });
}

type Filter = Extract<LogicalPlan, { kind: "filter" }>;

function pushFilter(filter: Filter): LogicalPlan {
  const { input, predicate } = filter;
  switch (input.kind) {
    case "filter":
      // The lower one is evaluated first, as it was.
      return pushFilter({
        kind: "filter",
        input: input.input,
        predicate: conjunction([input.predicate, predicate]),
      });
    case "project": {
      const byId = new Map(input.items.map(({ column, expression }) => [column.id, expression]));
      if ([...columnsIn(predicate)].some((id) => isVolatile(byId.get(id) ?? predicate))) return filter;
      if (wouldComputeTwice(predicate, input)) return filter;
      const below = replaceColumns(predicate, (id) => byId.get(id));
      return { ...input, input: pushFilter({ kind: "filter", input: input.input, predicate: below }) };
    }
    case "sort":
      if (input.limit !== undefined || input.offset > 0) return filter;
      return { ...input, input: pushFilter({ kind: "filter", input: input.input, predicate }) };
    case "aggregate":
    case "session":
      return pushBelowKeys(filter, input);
    case "join":
      return pushIntoJoin(filter, input);
    case "union-all":
      return pushIntoUnion(filter, input);
    case "set-operation":
      return pushIntoSetOperation(filter, input);
    case "assign-windows":
      return pushBelowWindows(filter, input);
    case "top-n":
    case "window":
      return pushBelowPartitions(filter, input);
    case "scan":
    case "values":
    case "limit":
      return filter;
  }
}

/**
 * Whether a filter right below a projection of stored records would only compute again, for all rows, what the
 * projection computes: it would spare nothing but copies.
 */
function wouldComputeTwice(
  predicate: Expression,
  project: Extract<LogicalPlan, { kind: "project" }>,
): boolean {
  if (project.input.kind !== "scan") return false;
  const read = new Set(columnsIn(predicate));
  const computed = project.items.filter(({ expression }) => !costsNothing(expression));
  return (
    computed.some(({ expression }) => costsMuch(expression)) &&
    computed.every(({ column }) => read.has(column.id))
  );
}

/**
 * The conjuncts that may pass go below the node of the filter, which `over` makes anew of them; the others stay
 * above it.
 */
function pushPart(
  filter: Filter,
  mayPass: (conjunct: Expression) => boolean,
  over: (below: readonly Expression[]) => LogicalPlan,
): LogicalPlan {
  const conjuncts = conjunctsOf(filter.predicate);
  const below = conjuncts.filter(mayPass);
  if (below.length === 0) return filter;
  const above = conjuncts.filter((conjunct) => !mayPass(conjunct));
  const pushed = over(below);
  return above.length === 0 ? pushed : { kind: "filter", input: pushed, predicate: conjunction(above) };
}

/** Whether an expression reads some of the columns, and no others. */
function readsOnly(
  expression: Expression,
  columns: ReadonlySet<number> | ReadonlyMap<number, unknown>,
): boolean {
  const read = [...columnsIn(expression)];
  return read.length > 0 && read.every((id) => columns.has(id)) && !isVolatile(expression);
}

/** The columns that rows are parted by. */
function partitionColumns(partition: readonly Expression[]): ReadonlySet<number> {
  return new Set(partition.flatMap((key) => (key.kind === "column" ? [key.index] : [])));
}

/** A group, and a key's sessions, are kept or dropped as a whole by what reads only keys. Without keys the one group always is. */
function pushBelowKeys(
  filter: Filter,
  node: Extract<LogicalPlan, { kind: "aggregate" | "session" }>,
): LogicalPlan {
  const keys = new Map(node.keys.map(({ column, expression }) => [column.id, expression]));
  return pushPart(
    filter,
    (conjunct) => readsOnly(conjunct, keys),
    (below) => {
      const overInput = below.map((conjunct) => replaceColumns(conjunct, (id) => keys.get(id)));
      return { ...node, input: filtered(node.input, overInput) };
    },
  );
}

/** A row is in its windows or not at all by what does not read their bounds; of SLIDE the keys alone. */
function pushBelowWindows(
  filter: Filter,
  windows: Extract<LogicalPlan, { kind: "assign-windows" }>,
): LogicalPlan {
  const keys = partitionColumns(windows.partition);
  const bounds = new Set([windows.start.id, windows.end.id]);
  const mayPass = (conjunct: Expression): boolean =>
    windows.shape.kind === "slide"
      ? readsOnly(conjunct, keys)
      : !isVolatile(conjunct) && ![...columnsIn(conjunct)].some((id) => bounds.has(id));
  return pushPart(filter, mayPass, (below) => ({ ...windows, input: filtered(windows.input, below) }));
}

/** A partition is kept or dropped as a whole by what reads only the columns that it is parted by. */
function pushBelowPartitions(
  filter: Filter,
  node: Extract<LogicalPlan, { kind: "top-n" | "window" }>,
): LogicalPlan {
  const keys = partitionColumns(node.partition);
  return pushPart(
    filter,
    (conjunct) => readsOnly(conjunct, keys),
    (below) => ({ ...node, input: filtered(node.input, below) }),
  );
}

type Join = Extract<LogicalPlan, { kind: "join" }>;

/** Whether rows of a side are in the output as they are, so that a filter above is one below. */
function keepsLeft({ type }: Join): boolean {
  return type !== "right" && type !== "full";
}

function keepsRight({ type }: Join): boolean {
  return type === "inner" || type === "cross" || type === "right";
}

interface Sides {
  readonly left: readonly Expression[];
  readonly right: readonly Expression[];
  readonly both: readonly Expression[];
}

/** Conjuncts by the side whose columns they read, where that side may be filtered. */
function bySide(join: Join, conjuncts: readonly Expression[], left: boolean, right: boolean): Sides {
  const [ofLeft, ofRight] = [join.left, join.right].map(
    (side) => new Set(columnsOf(side).map((column) => column.id)),
  );
  const side = (expression: Expression): keyof Sides => {
    const ids = [...columnsIn(expression)];
    if (ids.length === 0 || isVolatile(expression)) return "both";
    if (left && ids.every((id) => ofLeft?.has(id) === true)) return "left";
    return right && ids.every((id) => ofRight?.has(id) === true) ? "right" : "both";
  };
  const found = { left: [] as Expression[], right: [] as Expression[], both: [] as Expression[] };
  for (const conjunct of conjuncts) found[side(conjunct)].push(conjunct);
  return found;
}

function filtered(input: LogicalPlan, conjuncts: readonly Expression[]): LogicalPlan {
  return conjuncts.length === 0
    ? input
    : pushFilter({ kind: "filter", input, predicate: conjunction(conjuncts) });
}

function pushIntoJoin(filter: Filter, join: Join): LogicalPlan {
  const conjuncts = conjunctsOf(filter.predicate);
  const { left, right, both } = bySide(join, conjuncts, keepsLeft(join), keepsRight(join));
  // Of pairs it makes no difference whether a condition stands in ON or in WHERE.
  const pairs = (join.type === "inner" || join.type === "cross") && !both.some(isVolatile);
  const above = pairs ? [] : both;
  if (left.length === 0 && right.length === 0 && above.length === conjuncts.length) return filter;
  const conditions = pairs ? [...conditionsOf(join), ...both] : conditionsOf(join);
  const pushed: Join = {
    ...join,
    type: join.type === "cross" && conditions.length > 0 ? "inner" : join.type,
    left: filtered(join.left, left),
    right: filtered(join.right, right),
    residual: conditions.length === 0 ? undefined : conjunction(conditions),
  };
  return above.length === 0 ? pushed : { kind: "filter", input: pushed, predicate: conjunction(above) };
}

function conditionsOf({ residual }: Join): readonly Expression[] {
  return residual === undefined ? [] : conjunctsOf(residual);
}

/** A condition of the join itself that reads one side goes below it, unless rows of that side stay without it. */
function pushCondition(join: Join): LogicalPlan {
  const { type } = join;
  const keepsAllLeft = type === "left" || type === "full" || type === "anti";
  const keepsAllRight = type === "right" || type === "full";
  const conditions = conditionsOf(join);
  const { left, right, both } = bySide(join, conditions, !keepsAllLeft, !keepsAllRight);
  if (left.length === 0 && right.length === 0) return join;
  return {
    ...join,
    type: type === "inner" && both.length === 0 && join.keys.length === 0 && !join.lookup ? "cross" : type,
    left: filtered(join.left, left),
    right: filtered(join.right, right),
    residual: both.length === 0 ? undefined : conjunction(both),
  };
}

function pushIntoUnion(filter: Filter, union: Extract<LogicalPlan, { kind: "union-all" }>): LogicalPlan {
  if (isVolatile(filter.predicate)) return filter;
  const inputs = union.inputs.map((input) =>
    filtered(input, [under(filter.predicate, union.columns, input)]),
  );
  return { ...union, inputs };
}

function pushIntoSetOperation(
  filter: Filter,
  operation: Extract<LogicalPlan, { kind: "set-operation" }>,
): LogicalPlan {
  if (isVolatile(filter.predicate)) return filter;
  const push = (input: LogicalPlan): LogicalPlan =>
    filtered(input, [under(filter.predicate, operation.columns, input)]);
  return { ...operation, left: push(operation.left), right: push(operation.right) };
}

/** The same over an input's own columns. */
function under(predicate: Expression, columns: readonly LogicalColumn[], input: LogicalPlan): Expression {
  const own = columnsOf(input);
  const byId = new Map(columns.map((column, i) => [column.id, own[i]]));
  return replaceColumns(predicate, (id) => {
    const column = byId.get(id);
    return column === undefined ? undefined : columnExpression(column);
  });
}
