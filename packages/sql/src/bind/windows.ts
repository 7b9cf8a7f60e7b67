import type { ExpressionNode, NameNode, WindowKind } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { windowsPerRowMax } from "../limits.js";
import type { Expression } from "../plan/expression.js";
import { columnExpression, type LogicalColumn, type LogicalPlan } from "../plan/logical.js";
import type { WindowShape } from "../plan/physical.js";
import { INTERVAL, TIMESTAMP } from "../types/types.js";
import { intervalMs } from "../values/calendar.js";
import { windowNamed } from "../tokens/window-names.js";
import { bindExpression } from "./bind-expression.js";
import type { Findings } from "./findings.js";
import type { ColumnIds, ScopeRelation, StarColumn } from "./scope.js";

/** The time of rows, and the watermark just before each, where rows can be late. */
export interface RowTime {
  readonly time: Expression;
  readonly watermark: Expression | undefined;
}

/** A window over FROM, as bound. */
export interface BoundWindow {
  readonly kind: "hop" | "slide" | "session";
  /** Of hop and slide. */
  readonly shape: WindowShape | undefined;
  /** Of session. */
  readonly gapMs: number;
  readonly start: LogicalColumn;
  readonly end: LogicalColumn;
  readonly rowTime: RowTime;
  readonly span: Span;
}

/**
 * The time of rows that nothing changes any more once the watermark is at `column` + offsetMs, as windows close them:
 * the last moment before that. So windows lie within longer ones, and no such row is late.
 */
export function lastMoment(column: Expression, offsetMs: number): RowTime {
  const shift = offsetMs - 1;
  if (shift === 0) return { time: column, watermark: undefined };
  const length: Expression = {
    kind: "literal",
    value: { kind: "interval", months: 0, ms: Math.abs(shift) },
    type: INTERVAL,
  };
  const time: Expression = {
    kind: "call",
    function: shift < 0 ? "-" : "+",
    args: [column, length],
    type: TIMESTAMP,
  };
  return { time, watermark: undefined };
}

/** Of columns that windows close, by id, the one that closes first: the time of the rows. */
export function closingTime(
  columns: readonly LogicalColumn[],
  closing: ReadonlyMap<number, number>,
): RowTime | undefined {
  let best: { readonly column: LogicalColumn; readonly offsetMs: number } | undefined;
  for (const column of columns) {
    const offsetMs = closing.get(column.id);
    if (offsetMs !== undefined && (best === undefined || offsetMs < best.offsetMs))
      best = { column, offsetMs };
  }
  return best === undefined ? undefined : lastMoment(columnExpression(best.column), best.offsetMs);
}

/** The window that a call in GROUP BY means: TUMBLING(INTERVAL 5 SECOND). */
export function windowInGroupBy(
  node: ExpressionNode,
): { readonly window: WindowKind; readonly args: readonly ExpressionNode[] } | undefined {
  if (node.kind !== "call" || node.over !== undefined) return undefined;
  const window = windowNamed(node.name.text);
  return window === undefined ? undefined : { window, args: node.args };
}

/** The column that TUMBLE(s, column, …) names as the time, if its arguments begin with one. */
export function namedTime(args: readonly ExpressionNode[]): NameNode | undefined {
  const [first] = args;
  return first?.kind === "name" && first.parts.length === 1 ? first.parts[0] : undefined;
}

const forms: Readonly<Record<WindowKind, string>> = {
  TUMBLE: "TUMBLE(s, INTERVAL 10 SECOND)",
  HOP: "HOP(s, INTERVAL 10 SECOND, INTERVAL 2 SECOND): the length, then the hop",
  SLIDE: "SLIDE(s, INTERVAL 10 SECOND)",
  SESSION: "SESSION(s, INTERVAL 10 SECOND)",
};

/** The lengths of a window in milliseconds, or undefined after a finding. */
function lengths(
  window: WindowKind,
  args: readonly ExpressionNode[],
  span: Span,
  findings: Findings,
): readonly number[] | undefined {
  const wanted = window === "HOP" ? 2 : 1;
  if (args.length !== wanted) {
    const what = wanted === 1 ? "one length of time" : "two lengths of time";
    findings.error(span, `${window} takes ${what}`, forms[window]);
    return undefined;
  }
  const found = args.map((arg) => {
    const bound = bindExpression(arg, { findings, scope: undefined, clause: window });
    const value = bound.kind === "literal" ? bound.value : null;
    const interval =
      typeof value === "object" && value !== null && "kind" in value && value.kind === "interval";
    const ms = interval ? intervalMs(value) : 0;
    if (ms > 0) return ms;
    findings.error(arg.span, `${window} takes a length of time above 0`, forms[window]);
    return undefined;
  });
  return found.includes(undefined) ? undefined : found.filter((ms) => ms !== undefined);
}

export function bindWindow(
  window: WindowKind,
  args: readonly ExpressionNode[],
  span: Span,
  rowTime: RowTime | undefined,
  ids: ColumnIds,
  findings: Findings,
): BoundWindow | undefined {
  const found = lengths(window, namedTime(args) === undefined ? args : args.slice(1), span, findings);
  if (rowTime === undefined) {
    findings.error(
      span,
      `${window} needs rows that have a time`,
      "rows of streams have one, and keep it in a plain subquery, UNION ALL, a join WITHIN and groups by a window; where rows are deleted, name its column",
    );
    return undefined;
  }
  const [sizeMs = 0, hopMs = sizeMs] = found ?? [];
  if (found === undefined) return undefined;
  if (hopMs > sizeMs) {
    findings.error(span, "A window is not shorter than its hop", forms.HOP);
    return undefined;
  }
  if (window === "HOP" && sizeMs / hopMs > windowsPerRowMax) {
    findings.error(span, `A record is in at most ${windowsPerRowMax} windows`, "take a longer hop");
    return undefined;
  }
  const column = (name: string): LogicalColumn => ({ id: ids.next(), name, type: TIMESTAMP });
  const bounds = { start: column("window_start"), end: column("window_end"), rowTime, span };
  switch (window) {
    case "TUMBLE":
    case "HOP":
      return { kind: "hop", shape: { kind: "hop", sizeMs, hopMs }, gapMs: 0, ...bounds };
    case "SLIDE":
      return { kind: "slide", shape: { kind: "slide", sizeMs }, gapMs: 0, ...bounds };
    case "SESSION":
      return { kind: "session", shape: undefined, gapMs: sizeMs, ...bounds };
  }
}

/** Each row in its windows. */
export function assignWindows(
  input: LogicalPlan,
  { shape, start, end, rowTime }: BoundWindow,
  partition: readonly Expression[],
): LogicalPlan {
  if (shape === undefined) return input;
  return { kind: "assign-windows", input, shape, ...rowTime, partition, start, end };
}

/** A relation with the bounds of its rows' windows. */
export class WindowedScope implements ScopeRelation {
  readonly name: string;
  readonly #inner: ScopeRelation | undefined;
  readonly #bounds: ReadonlyMap<string, LogicalColumn>;

  /** Without `inner`: the bounds alone, beside several relations. */
  constructor(name: string, inner: ScopeRelation | undefined, { start, end }: BoundWindow) {
    this.name = name;
    this.#inner = inner;
    this.#bounds = new Map([start, end].map((column) => [column.name, column]));
  }

  get relationName(): string | undefined {
    return this.#inner?.relationName;
  }

  get open(): boolean {
    return this.#inner?.open ?? false;
  }

  get columnNames(): readonly string[] {
    const own = [...this.#bounds.keys()];
    return [...(this.#inner?.columnNames ?? []).filter((name) => !own.includes(name)), ...own];
  }

  declares(name: string): boolean {
    return this.#bounds.has(name) || (this.#inner?.declares(name) ?? false);
  }

  resolve(name: string): Expression | undefined {
    const bound = this.#bounds.get(name);
    return bound === undefined ? this.#inner?.resolve(name) : columnExpression(bound);
  }

  star(): readonly StarColumn[] {
    const bounds = [...this.#bounds].map(([name, column]): StarColumn => {
      return { name, expression: columnExpression(column), spread: false };
    });
    return [...(this.#inner?.star() ?? []).filter(({ name }) => !this.#bounds.has(name)), ...bounds];
  }
}
