import { unreachable } from "@hstream/proto";
import {
  type AggregateCall,
  BOOLEAN,
  type Closing,
  type Expression,
  type JoinWithin,
  type PhysicalNode,
  type PhysicalPlan,
  type SortKey,
} from "@hstream/sql/runtime";
import { CompiledExpression } from "./compile/compiled-expression.js";
import type { Evaluation } from "./compile/evaluation.js";
import type { LateRecords } from "./decode/diverted.js";
import { AggregateOperator } from "./operators/aggregate.js";
import { AssignSlidingOperator } from "./operators/assign-sliding.js";
import { AssignWindowsOperator } from "./operators/assign-windows.js";
import { FilterOperator } from "./operators/filter.js";
import { type JoinBounds, JoinOperator } from "./operators/join.js";
import { LimitOperator } from "./operators/limit.js";
import type { Operator } from "./operators/operator.js";
import { ProjectOperator } from "./operators/project.js";
import { SessionOperator } from "./operators/session.js";
import { SetOperationOperator } from "./operators/set-operation.js";
import { type CompiledSortKey, SortOperator } from "./operators/sort.js";
import { TopNOperator } from "./operators/top-n.js";
import { UnionAllOperator } from "./operators/union-all.js";
import { ValuesOperator } from "./operators/values.js";
import { WindowOperator } from "./operators/window.js";
import type { WorkingNode } from "./plan-builder.js";
import { groupKeysInOutput, isAppendOnly, shiftColumns, updatesByKey } from "./plan-facts.js";

/** The operator of a node. `materialize`: the sink keeps rows, by group key where the output has it. */
export function createOperator(
  node: WorkingNode,
  plan: PhysicalPlan,
  materialize: boolean,
  evaluation: Evaluation,
  late: LateRecords,
): Operator {
  const name = `${node.kind} (operator ${node.id})`;
  const width = node.types.length;
  const emission = emissionOf(plan);
  const atEnd = emission === "at-end";
  switch (node.kind) {
    case "values":
      return new ValuesOperator(
        name,
        node.rows.map((row) => row.map(compiled)),
        width,
        evaluation,
      );
    case "filter":
      return new FilterOperator(name, compiled(node.predicate), evaluation);
    case "project":
      return new ProjectOperator(name, node.items.map(compiled), evaluation);
    case "aggregate": {
      const { appendOnly } = node;
      const pull = plan.emit.kind === "pull";
      const byKey =
        materialize || plan.emit.kind === "every"
          ? groupKeysInOutput(plan) !== undefined
          : plan.emit.kind !== "retractions";
      const isDistinct = node.calls.length === 0;
      const retract = isDistinct || !(appendOnly && updatesByKey(plan, node) && byKey);
      const emission = pull ? "at-end" : node.final === true ? "at-close" : node.emission;
      const closes = node.closes === undefined ? {} : { closes: node.closes };
      const options = { appendOnly, emission, retract, ...closes } as const;
      return new AggregateOperator(
        name,
        node.keys.map(compiled),
        node.calls.map(compiledCall),
        options,
        evaluation,
      );
    }
    case "assign-windows": {
      const time = compiled(node.time);
      const watermark = node.watermark === undefined ? undefined : compiled(node.watermark);
      const { shape } = node;
      if (shape.kind === "hop") {
        return new AssignWindowsOperator(name, shape, time, watermark, evaluation, late);
      }
      const partition = node.partition.map(compiled);
      const options = { sizeMs: shape.sizeMs, width: node.input.types.length };
      return new AssignSlidingOperator(name, options, partition, time, watermark, evaluation, late);
    }
    case "session": {
      const pull = plan.emit.kind === "pull";
      const emission = pull ? "at-end" : node.final === true ? "at-close" : node.emission;
      const watermark = node.watermark === undefined ? undefined : compiled(node.watermark);
      const input = { keys: node.keys.map(compiled), time: compiled(node.time), watermark };
      const calls = node.calls.map(compiledCall);
      return new SessionOperator(name, input, calls, { gapMs: node.gapMs, emission }, evaluation, late);
    }
    case "sort": {
      const keys = node.keys.map(compiledKey);
      const appendOnly = isAppendOnly(node.input, plan);
      return new SortOperator(
        name,
        keys,
        { limit: node.limit, offset: node.offset, width, appendOnly },
        evaluation,
      );
    }
    case "limit": {
      const { limit, offset } = node;
      if (isAppendOnly(node.input, plan)) return new LimitOperator(name, limit, offset);
      return new SortOperator(name, [], { limit, offset, width, appendOnly: false }, evaluation);
    }
    case "join":
      return createJoin(name, node, plan, evaluation, late);
    case "union-all":
      return new UnionAllOperator(name);
    case "set-operation": {
      const { operator, all } = node;
      return new SetOperationOperator(name, { operator, all, width, atEnd }, evaluation);
    }
    case "top-n": {
      const { limit, offset, numbered } = node;
      const appendOnly = node.appendOnly || isAppendOnly(node.input, plan);
      const width = node.input.types.length;
      const options = { limit, offset, numbered, appendOnly, width, ...closingOf(node, emission) };
      return new TopNOperator(
        name,
        node.partition.map(compiled),
        node.keys.map(compiledKey),
        options,
        evaluation,
      );
    }
    case "window": {
      const calls = node.calls.map((call) => ({
        call,
        args: call.args.map(compiled),
        filter: call.filter === undefined ? undefined : compiled(call.filter),
      }));
      const options = { width: node.input.types.length, ...closingOf(node, emission) };
      const keys = node.keys.map(compiledKey);
      return new WindowOperator(name, node.partition.map(compiled), keys, calls, options, evaluation);
    }
    default:
      return unreachable(node);
  }
}

function createJoin(
  name: string,
  node: Extract<PhysicalNode, { kind: "join" }>,
  plan: PhysicalPlan,
  evaluation: Evaluation,
  late: LateRecords,
): Operator {
  const { type, left, right, lookup, within, closes, final } = node;
  const keys = node.keys.map((key) => ({
    left: compiled(key.left),
    right: compiled(key.right),
    nullsEqual: key.nullsEqual,
  }));
  const residual = residualOf(node);
  const options = {
    type,
    leftWidth: left.types.length,
    rightWidth: right.types.length,
    leftAppendOnly: node.leftAppendOnly || isAppendOnly(left, plan),
    rightAppendOnly: node.rightAppendOnly || isAppendOnly(right, plan),
    lookup,
    atEnd: plan.emit.kind === "pull",
    ...(closes === undefined ? {} : { closes }),
    ...(final === true ? { final } : {}),
  };
  const condition = residual === undefined ? undefined : compiled(residual);
  const bounds = within === undefined ? undefined : compiledWithin(within, options, late);
  return new JoinOperator(name, keys, condition, options, evaluation, bounds);
}

function compiledWithin(
  within: JoinWithin,
  {
    leftAppendOnly,
    rightAppendOnly,
  }: { readonly leftAppendOnly: boolean; readonly rightAppendOnly: boolean },
  late: LateRecords,
): JoinBounds {
  const columnOf = (watermark: Expression | undefined): number | undefined =>
    watermark?.kind === "column" ? watermark.index : undefined;
  const { ms, leftTime, rightTime, leftWatermark, rightWatermark } = within;
  return {
    ms,
    times: [compiled(leftTime), compiled(rightTime)],
    watermarks: [leftWatermark, rightWatermark].map((one) => (one === undefined ? undefined : compiled(one))),
    judged: [
      leftAppendOnly ? undefined : columnOf(leftWatermark),
      rightAppendOnly ? undefined : columnOf(rightWatermark),
    ],
    late,
  };
}

/** When an operator of partitions gives its answer, and lets go of them. */
function closingOf(
  { closes, final }: { readonly closes?: Closing; readonly final?: boolean },
  emission: "per-record" | "per-step" | "at-end",
): { readonly emission: typeof emission | "at-close"; readonly closes?: Closing } {
  const given = final === true && emission !== "at-end" ? "at-close" : emission;
  return closes === undefined ? { emission: given } : { emission: given, closes };
}

/** How an operator that compares its answer with the last one gives it. */
function emissionOf(plan: PhysicalPlan): "per-record" | "per-step" | "at-end" {
  switch (plan.emit.kind) {
    case "pull":
      return "at-end";
    case "coalesced":
    case "final":
    case "every":
      return "per-step";
    case "changes":
    case "retractions":
      return "per-record";
    default:
      return unreachable(plan.emit);
  }
}

/** With NOT IN as one of its conditions: a row is a partner unless it is certain that it differs. */
function residualOf(node: Extract<PhysicalNode, { kind: "join" }>): Expression | undefined {
  const { residual, notIn } = node;
  if (notIn === undefined) return residual;
  const right = shiftColumns(notIn.right, node.left.types.length);
  const equal: Expression = { kind: "call", function: "=", args: [notIn.left, right], type: BOOLEAN };
  const maybe: Expression = { kind: "call", function: "IS NOT FALSE", args: [equal], type: BOOLEAN };
  return residual === undefined ? maybe : { kind: "and", args: [residual, maybe], type: BOOLEAN };
}

function compiledKey(key: SortKey): CompiledSortKey {
  return { ...key, expression: compiled(key.expression) };
}

function compiled(expression: Expression): CompiledExpression {
  return new CompiledExpression(expression);
}

function compiledCall(call: AggregateCall): ConstructorParameters<typeof AggregateOperator>[2][number] {
  return {
    function: call.function,
    args: call.args.map(compiled),
    distinct: call.distinct,
    type: call.type,
    filter: call.filter === undefined ? undefined : compiled(call.filter),
  };
}
