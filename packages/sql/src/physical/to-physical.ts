import { must, unreachable } from "@hstream/proto";
import type { BoundQuery } from "../bind/bound-statement.js";
import type { Expression } from "../plan/expression.js";
import { columnsOf, type LogicalPlan, mapCall, type ScanOutput } from "../plan/logical.js";
import type { PhysicalNode, PhysicalPlan, PlanSource, ScanColumn } from "../plan/physical.js";
import { replaceColumns } from "../plan/rewrite.js";

/** The plan that the executor runs. Takes a query as bound or (better) optimised. */
export function toPhysical(query: BoundQuery): PhysicalPlan {
  const builder = new PhysicalBuilder(query.emit.kind === "changes" || query.emit.kind === "retractions");
  const root = builder.build(query.plan);
  const plan = { sources: builder.sources, root, output: query.output, emit: query.emit };
  return query.emitLimit === undefined ? plan : { ...plan, emitLimit: query.emitLimit };
}

class PhysicalBuilder {
  readonly sources: PlanSource[] = [];
  readonly #perRecord: boolean;
  #nextId = 0;

  constructor(perRecord: boolean) {
    this.#perRecord = perRecord;
  }

  build(plan: LogicalPlan): PhysicalNode {
    const types = columnsOf(plan).map((column) => column.type);
    const node = this.#node(plan);
    return { ...node, id: this.#nextId++, types };
  }

  #node(plan: LogicalPlan): DistributiveOmit<PhysicalNode, "id" | "types"> {
    switch (plan.kind) {
      case "scan":
        this.sources.push(sourceOf(plan));
        return { kind: "source", source: this.sources.length - 1 };
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
        };
      }
      case "sort": {
        const resolve = resolver(plan.input);
        const keys = plan.keys.map((key) => ({ ...key, expression: resolve(key.expression) }));
        return { kind: "sort", input: this.build(plan.input), keys, offset: plan.offset, ...limitOf(plan) };
      }
      case "limit":
        return { kind: "limit", input: this.build(plan.input), offset: plan.offset, ...limitOf(plan) };
      default:
        return unreachable(plan);
    }
  }
}

/** Omit, member by member of a union. */
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function limitOf(plan: { readonly limit: number | undefined }): { readonly limit?: number } {
  return plan.limit === undefined ? {} : { limit: plan.limit };
}

/** Column ids to positions in the input's row. */
function resolver(input: LogicalPlan): (expression: Expression) => Expression {
  const positions = new Map(columnsOf(input).map((column, position) => [column.id, { column, position }]));
  return (expression) =>
    replaceColumns(expression, (id) => {
      const { column, position } = must(positions.get(id), () => `column ${id} is given by the input`);
      return { kind: "column", index: position, name: column.name, type: column.type };
    });
}

function sourceOf(plan: Extract<LogicalPlan, { kind: "scan" }>): PlanSource {
  const { relation, columns } = plan;
  const { name, id, appendOnly } = relation;
  if (relation.kind === "stream") return { kind: "stream", name, id, columns: columns.map(scanColumn) };
  return {
    kind: "rows",
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
