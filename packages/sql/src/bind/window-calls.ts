import type { ExpressionNode, FrameBoundNode, NamedWindowNode, OrderNode, OverNode } from "../ast/ast.js";
import { aggregateFunction, windowFunction } from "../functions/table.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import { callableNames } from "../functions/table.js";
import type { Expression, FrameBound, SortKey, WindowCall, WindowFrame } from "../plan/expression.js";
import { columnExpression, type LogicalColumn, type LogicalPlan, mapCall } from "../plan/logical.js";
import { expressionKey } from "../plan/rewrite.js";
import { printWindowCall } from "../print/print-bound.js";
import { printName } from "../print/print-expression.js";
import type { Span } from "../diagnostic.js";
import { aggregateCall, bindExpression, type CallNode, type ExpressionPlace } from "./bind-expression.js";
import { callSignature } from "./call-types.js";
import { type Findings, unboundExpression } from "./findings.js";
import type { ColumnIds } from "./scope.js";

interface Over {
  readonly partition: readonly Expression[];
  readonly keys: readonly SortKey[];
  readonly calls: { readonly column: LogicalColumn; readonly call: WindowCall }[];
}

/** The window functions of a query block; those with one OVER are computed together. */
export class WindowCalls {
  readonly #ids: ColumnIds;
  /** What an expression over the input is where windows are computed: above the groups. */
  readonly #here: (expression: Expression, span: Span) => Expression;
  /** Of the WINDOW clause. */
  readonly #named: readonly NamedWindowNode[];
  readonly #overs = new Map<string, Over>();
  /** Ids of the results. */
  readonly columns = new Set<number>();

  constructor(
    ids: ColumnIds,
    named: readonly NamedWindowNode[],
    here: (expression: Expression, span: Span) => Expression,
  ) {
    this.#ids = ids;
    this.#named = named;
    this.#here = here;
  }

  /** `also`: further expressions to part by. */
  attach(input: LogicalPlan, also: readonly Expression[]): LogicalPlan {
    return [...this.#overs.values()].reduce<LogicalPlan>(
      (below, { partition, keys, calls }) => ({
        kind: "window",
        input: below,
        partition: [...also, ...partition],
        keys,
        calls,
        appendOnly: false,
      }),
      input,
    );
  }

  bind(call: CallNode, place: ExpressionPlace): Expression {
    const { findings } = place;
    const over = call.over === undefined ? undefined : this.#resolved(call.over, findings);
    if (over === undefined) return unboundExpression;
    const node: CallNode = { ...call, over };
    const { window: _, ...inside } = place;
    const bound = bindCall(node, { ...inside, clause: "a window function" });
    if (bound === undefined) return unboundExpression;
    const partition = over.partitionBy.map((one) => this.#here(bindExpression(one, inside), one.span));
    const keys = over.orderBy.map((order) => this.#sortKey(order, inside));
    const frame = bindFrame(node, keys, findings);
    const whole: WindowCall = mapCall({ ...bound, ignoreNulls: node.ignoreNulls, frame }, (one) =>
      this.#here(one, node.span),
    );
    return columnExpression(this.#add(partition, keys, whole));
  }

  /** OVER (…) with what the named window that it builds on says; undefined after a finding. */
  #resolved(over: OverNode, findings: Findings): OverNode | undefined {
    const { base } = over;
    if (base === undefined) return over;
    const at = this.#named.findIndex(({ name }) => name.text === base.name.text);
    const found = this.#named[at];
    if (found === undefined) {
      const names = this.#named.map(({ name }) => name.text);
      const near = nearestName(base.name.text, names);
      const hint = near === undefined ? "WINDOW name AS (…) after HAVING names one" : `did you mean ${near}?`;
      findings.error(base.name.span, `There is no window ${printName(base.name)}`, hint);
      return undefined;
    }
    // A window may build on those before it only.
    const earlier = found.over.base === undefined ? found.over : this.#earlier(at, findings);
    if (earlier === undefined || base.whole) return earlier;
    const clash =
      over.partitionBy.length > 0
        ? "PARTITION BY"
        : over.orderBy.length > 0 && earlier.orderBy.length > 0
          ? "another ORDER BY"
          : earlier.frame === undefined
            ? undefined
            : "anything, as it has a frame";
    if (clash !== undefined) {
      findings.error(over.span, `Window ${printName(base.name)} cannot be given ${clash}`, "write it out");
    }
    const orderBy = over.orderBy.length > 0 ? over.orderBy : earlier.orderBy;
    return { ...over, base: undefined, partitionBy: earlier.partitionBy, orderBy };
  }

  #earlier(at: number, findings: Findings): OverNode | undefined {
    const over = this.#named[at]?.over;
    if (over === undefined) return undefined;
    return new WindowCalls(this.#ids, this.#named.slice(0, at), this.#here).#resolved(over, findings);
  }

  #sortKey({ expression, descending, nulls }: OrderNode, place: ExpressionPlace): SortKey {
    const bound = this.#here(bindExpression(expression, place), expression.span);
    return { expression: bound, descending, nullsFirst: nulls === "first" };
  }

  #add(partition: readonly Expression[], keys: readonly SortKey[], call: WindowCall): LogicalColumn {
    const text = (key: SortKey): string =>
      `${expressionKey(key.expression)}${key.descending}${key.nullsFirst}`;
    const key = JSON.stringify([partition.map(expressionKey), keys.map(text)]);
    const over = this.#overs.get(key) ?? { partition, keys, calls: [] };
    this.#overs.set(key, over);
    const column = { id: this.#ids.next(), name: printWindowCall(call), type: call.type };
    over.calls.push({ column, call });
    this.columns.add(column.id);
    return column;
  }
}

function bindCall(
  node: CallNode,
  place: ExpressionPlace,
): Pick<WindowCall, "function" | "args" | "distinct" | "filter" | "type"> | undefined {
  const { findings } = place;
  const name = node.name.text.toUpperCase();
  const aggregate = aggregateFunction(name);
  if (aggregate !== undefined) {
    if (node.ignoreNulls) findings.error(node.span, `${name} takes no IGNORE NULLS`, "aggregates skip NULLs");
    return aggregateCall(node, aggregate.name, place);
  }
  const entry = windowFunction(name);
  if (entry === undefined) {
    const near = nearestName(name, callableNames());
    const hint = near === undefined ? undefined : `did you mean ${near}?`;
    findings.error(node.name.span, `There is no window function ${name}`, hint);
    return undefined;
  }
  if (node.star || node.distinct || node.filter !== undefined || node.orderBy.length > 0) {
    const what = node.star ? "*" : node.distinct ? "DISTINCT" : node.filter ? "FILTER" : "ORDER BY";
    findings.error(node.span, `${name} takes no ${what}`, "only aggregates do");
    return undefined;
  }
  const args = node.args.map((arg) => bindExpression(arg, place));
  const { parameters, optional = 0, result } = entry;
  const type = callSignature(
    entry,
    [{ parameters, optional, result, evaluate: () => null }],
    args,
    node.span,
    findings,
  );
  return type === undefined ? undefined : { function: entry.name, args, distinct: false, type };
}

const upToHere: WindowFrame = {
  unit: "range",
  start: { kind: "unbounded-preceding" },
  end: { kind: "current-row" },
};
const wholePartition: WindowFrame = { ...upToHere, end: { kind: "unbounded-following" } };

/** Without a frame: up to the row and its peers where there is an order, else the whole partition. */
function bindFrame(node: CallNode, keys: readonly SortKey[], findings: Findings): WindowFrame {
  const frame = node.over?.frame;
  if (frame === undefined) return keys.length > 0 ? upToHere : wholePartition;
  const bound = (one: FrameBoundNode): FrameBound =>
    "offset" in one ? { kind: one.kind, offset: offsetOf(one.offset, frame.unit, findings) } : one;
  const { unit } = frame;
  const [start, end] = [bound(frame.start), bound(frame.end)];
  if (rank(start) > rank(end) || start.kind === "unbounded-following" || end.kind === "unbounded-preceding") {
    findings.error(frame.span, "This frame ends before it starts");
  }
  if (unit === "range" && ("offset" in start || "offset" in end) && keys.length !== 1) {
    findings.error(frame.span, "RANGE with a distance needs one ORDER BY expression", "ROWS counts rows");
  }
  if (unit === "groups" && keys.length === 0) findings.error(frame.span, "GROUPS needs ORDER BY");
  return { unit, start, end };
}

function rank({ kind }: FrameBound): number {
  return ["unbounded-preceding", "preceding", "current-row", "following", "unbounded-following"].indexOf(
    kind,
  );
}

function offsetOf(node: ExpressionNode, unit: WindowFrame["unit"], findings: Findings): FrameBoundOffset {
  const value = node.kind === "literal" ? node.value : null;
  if (typeof value === "number" && value >= 0 && (unit === "range" || Number.isInteger(value))) return value;
  const interval =
    typeof value === "object" && value !== null && "kind" in value && value.kind === "interval";
  if (unit === "range" && interval) return value;
  const what = unit === "range" ? "a number or an INTERVAL" : "a whole number";
  findings.error(node.span, `This distance is ${what} that is not negative`);
  return 0;
}

type FrameBoundOffset = Extract<FrameBound, { kind: "preceding" | "following" }>["offset"];
