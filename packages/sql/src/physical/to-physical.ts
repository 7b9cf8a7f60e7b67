import { isDeepStrictEqual } from "node:util";
import { must, unreachable } from "@hstream/proto";
import type { BoundQuery } from "../bind/bound-statement.js";
import type { Expression } from "../plan/expression.js";
import {
  columnsOf,
  type LogicalJoin,
  type LogicalPlan,
  mapCall,
  mapWithin,
  type ScanOutput,
} from "../plan/logical.js";
import type {
  Closing,
  EmitMode,
  PhysicalNode,
  PhysicalPlan,
  PlanSource,
  ScanColumn,
} from "../plan/physical.js";
import { replaceColumns } from "../plan/rewrite.js";
import { shareParts } from "./share-parts.js";

/** The plan that the executor runs. Takes a query as bound or (better) optimised. */
export function toPhysical(query: BoundQuery): PhysicalPlan {
  const builder = new PhysicalBuilder(query.emit);
  const root = builder.build(query.plan);
  const { root: shared, parts } = shareParts(root);
  const plan: PhysicalPlan = {
    sources: builder.sources,
    ...(parts.length === 0 ? {} : { shared: parts }),
    root: shared,
    output: query.output,
    emit: query.emit,
  };
  return query.emitLimit === undefined ? plan : { ...plan, emitLimit: query.emitLimit };
}

class PhysicalBuilder {
  readonly sources: PlanSource[] = [];
  readonly #perRecord: boolean;
  readonly #finite: boolean;
  #nextId = 0;

  constructor(emit: EmitMode) {
    this.#perRecord = emit.kind === "changes" || emit.kind === "retractions";
    this.#finite = emit.kind === "pull";
  }

  build(plan: LogicalPlan): PhysicalNode {
    const types = columnsOf(plan).map((column) => column.type);
    const node = this.#node(plan);
    return { ...node, id: this.#nextId++, types };
  }

  #node(plan: LogicalPlan): DistributiveOmit<PhysicalNode, "id" | "types"> {
    switch (plan.kind) {
      case "scan":
        return this.#scan(plan);
      case "values":
        return { kind: "values", rows: plan.rows };
      case "filter":
        return {
          kind: "filter",
          input: this.build(plan.input),
          predicate: resolver(plan.input)(plan.predicate),
        };
      case "project": {
        const resolve = resolver(plan.input);
        const items = plan.items.map((item) => resolve(item.expression));
        return { kind: "project", input: this.build(plan.input), items };
      }
      case "aggregate": {
        const resolve = resolver(plan.input);
        return {
          kind: "aggregate",
          input: this.build(plan.input),
          keys: plan.keys.map((key) => resolve(key.expression)),
          calls: plan.calls.map(({ call }) => mapCall(call, resolve)),
          appendOnly: plan.appendOnly,
          emission: this.#perRecord ? "per-record" : "per-step",
          ...closingOf(plan),
        };
      }
      case "assign-windows": {
        const resolve = resolver(plan.input);
        return {
          kind: "assign-windows",
          input: this.build(plan.input),
          shape: plan.shape,
          time: resolve(plan.time),
          ...(plan.watermark === undefined ? {} : { watermark: resolve(plan.watermark) }),
          partition: plan.partition.map(resolve),
        };
      }
      case "session": {
        const resolve = resolver(plan.input);
        return {
          kind: "session",
          input: this.build(plan.input),
          gapMs: plan.gapMs,
          time: resolve(plan.time),
          ...(plan.watermark === undefined ? {} : { watermark: resolve(plan.watermark) }),
          keys: plan.keys.map((key) => resolve(key.expression)),
          calls: plan.calls.map(({ call }) => mapCall(call, resolve)),
          emission: this.#perRecord ? "per-record" : "per-step",
          ...(plan.final === true ? { final: true } : {}),
        };
      }
      case "sort": {
        const resolve = resolver(plan.input);
        const keys = plan.keys.map((key) => ({ ...key, expression: resolve(key.expression) }));
        return { kind: "sort", input: this.build(plan.input), keys, offset: plan.offset, ...limitOf(plan) };
      }
      case "limit":
        return { kind: "limit", input: this.build(plan.input), offset: plan.offset, ...limitOf(plan) };
      case "join":
        return this.#join(plan);
      case "union-all":
        return { kind: "union-all", inputs: plan.inputs.map((input) => this.build(input)) };
      case "set-operation": {
        const { operator, all } = plan;
        return {
          kind: "set-operation",
          operator,
          all,
          left: this.build(plan.left),
          right: this.build(plan.right),
        };
      }
      case "top-n": {
        const resolve = resolver(plan.input);
        const { limit, offset, appendOnly } = plan;
        return {
          kind: "top-n",
          input: this.build(plan.input),
          partition: plan.partition.map(resolve),
          keys: plan.keys.map((key) => ({ ...key, expression: resolve(key.expression) })),
          limit,
          offset,
          numbered: plan.number !== undefined,
          appendOnly,
          ...closingOf(plan),
        };
      }
      case "window": {
        const resolve = resolver(plan.input);
        return {
          kind: "window",
          input: this.build(plan.input),
          partition: plan.partition.map(resolve),
          keys: plan.keys.map((key) => ({ ...key, expression: resolve(key.expression) })),
          calls: plan.calls.map(({ call }) => mapCall(call, resolve)),
          appendOnly: plan.appendOnly,
          ...closingOf(plan),
        };
      }
      default:
        return unreachable(plan);
    }
  }

  /** In one answer over what is stored, the rows of a stream with deletions are those that are left of it. */
  #scan(plan: Extract<LogicalPlan, { kind: "scan" }>): DistributiveOmit<PhysicalNode, "id" | "types"> {
    const node = { kind: "source", source: this.#source(sourceOf(plan)) } as const;
    if (!this.#finite || plan.relation.kind !== "stream" || plan.relation.appendOnly) return node;
    const types = plan.columns.map((column) => column.type);
    const left = { ...node, id: this.#nextId++, types };
    const right = { kind: "values", rows: [], id: this.#nextId++, types } as const;
    return { kind: "set-operation", operator: "except", all: true, left, right };
  }

  /** The same source is read once, by as many nodes as there are. */
  #source(source: PlanSource): number {
    const known = this.sources.findIndex((one) => isDeepStrictEqual(one, source));
    return known >= 0 ? known : this.sources.push(source) - 1;
  }

  #join(plan: LogicalJoin): DistributiveOmit<PhysicalNode, "id" | "types"> {
    const [left, right, both] = [resolver(plan.left), resolver(plan.right), resolver(plan.left, plan.right)];
    const { type, notIn, residual, leftAppendOnly, rightAppendOnly, lookup, within } = plan;
    return {
      kind: "join",
      type,
      left: this.build(plan.left),
      right: this.build(plan.right),
      keys: plan.keys.map((key) => ({ ...key, left: left(key.left), right: right(key.right) })),
      ...(residual === undefined ? {} : { residual: both(residual) }),
      ...(notIn === undefined ? {} : { notIn: { left: left(notIn.left), right: right(notIn.right) } }),
      leftAppendOnly,
      rightAppendOnly,
      lookup,
      ...(within === undefined ? {} : { within: mapWithin(within, left, right) }),
      ...closingOf(plan),
    };
  }
}

/** Of a time that is a column. */
const defaultLatenessMs = 10_000;

/** Omit, member by member of a union. */
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function limitOf(plan: { readonly limit: number | undefined }): { readonly limit?: number } {
  return plan.limit === undefined ? {} : { limit: plan.limit };
}

function closingOf({ closes, final }: { readonly closes?: Closing; readonly final?: boolean }): {
  readonly closes?: Closing;
  readonly final?: boolean;
} {
  return { ...(closes === undefined ? {} : { closes }), ...(final === true ? { final } : {}) };
}

/** Column ids to positions in the inputs' row. */
function resolver(...inputs: readonly LogicalPlan[]): (expression: Expression) => Expression {
  const positions = new Map(
    inputs.flatMap(columnsOf).map((column, position) => [column.id, { column, position }]),
  );
  return (expression) =>
    replaceColumns(expression, (id) => {
      const { column, position } = must(positions.get(id), () => `column ${id} is given by the input`);
      return { kind: "column", index: position, name: column.name, type: column.type };
    });
}

function sourceOf(plan: Extract<LogicalPlan, { kind: "scan" }>): PlanSource {
  const { relation, columns } = plan;
  const { name, id, appendOnly } = relation;
  if (relation.kind === "stream") {
    const source = {
      kind: "stream",
      name,
      id,
      columns: columns.map(scanColumn),
      ...(appendOnly ? {} : { deletions: true }),
    } as const;
    const column = columns.findIndex(({ from }) => from.kind === "time");
    const from = columns[column]?.from;
    if (from?.kind !== "time") return source;
    const appendTime = from.field === undefined;
    const latenessMs = relation.latenessMs ?? (appendTime ? 0 : defaultLatenessMs);
    return { ...source, time: { column, latenessMs, appendTime } };
  }
  return {
    kind: "rows",
    relation: relation.kind,
    name,
    id,
    columns: columns.map(({ from }) =>
      must(from.kind === "relation-column" ? from.index : undefined, "rows have no fields but their columns"),
    ),
    types: columns.map((column) => column.type),
    appendOnly,
  };
}

function scanColumn({ from }: ScanOutput): ScanColumn {
  return must(from.kind === "relation-column" ? undefined : from, "a stream is scanned by fields");
}
