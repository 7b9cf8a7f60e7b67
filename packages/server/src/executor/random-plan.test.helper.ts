import {
  DYNAMIC,
  type Expression,
  type FrameBound,
  type JoinType,
  type PhysicalNode,
  type WindowCall,
} from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { call, column, dynamicTypes, literal } from "./plans.test.helper.js";

/** Random plans over two sources of two columns: k of any type, v a number or NULL. Every node has two columns. */

type DraftOf<N> = N extends unknown ? Omit<N, "id" | "types"> : never;

let nextId = 0;
const node = (width: number, draft: DraftOf<PhysicalNode>): PhysicalNode => ({
  ...draft,
  id: nextId++,
  types: dynamicTypes(width),
});

const project = (input: PhysicalNode, ...items: Expression[]): PhysicalNode =>
  node(items.length, { kind: "project", input, items });

const joinTypes: readonly JoinType[] = ["inner", "left", "right", "full", "cross", "semi", "anti"];

const bounds: fc.Arbitrary<FrameBound> = fc.oneof(
  fc.constantFrom<FrameBound>(
    { kind: "unbounded-preceding" },
    { kind: "current-row" },
    { kind: "unbounded-following" },
  ),
  fc.record({ kind: fc.constantFrom("preceding" as const, "following" as const), offset: fc.nat(2) }),
);

const windowCalls: fc.Arbitrary<WindowCall> = fc
  .record({
    function: fc.constantFrom(
      "ROW_NUMBER",
      "RANK",
      "DENSE_RANK",
      "CUME_DIST",
      "LAG",
      "LEAD",
      "FIRST_VALUE",
      "LAST_VALUE",
      "COUNT",
      "SUM",
      "MIN",
      "MAX",
    ),
    frame: fc.record({ unit: fc.constantFrom("rows", "range", "groups"), start: bounds, end: bounds }),
    ignoreNulls: fc.boolean(),
    distinct: fc.boolean(),
    filtered: fc.boolean(),
  })
  .map(({ filtered, distinct, ignoreNulls, ...rest }): WindowCall => {
    const isAggregate = ["COUNT", "SUM", "MIN", "MAX"].includes(rest.function);
    const isRank = ["ROW_NUMBER", "RANK", "DENSE_RANK", "CUME_DIST"].includes(rest.function);
    return {
      ...rest,
      args: isRank ? [] : [column(1)],
      distinct: isAggregate && distinct,
      ignoreNulls: rest.function.endsWith("_VALUE") && ignoreNulls,
      type: DYNAMIC,
      ...(isAggregate && filtered ? { filter: call(">", column(1), literal(0)) } : {}),
    };
  });

/** What a node may be made of, by the kind that stands in the test's name. */
export const nodes = {
  filter: (input: fc.Arbitrary<PhysicalNode>) =>
    input.map((of) => node(2, { kind: "filter", input: of, predicate: call(">", column(1), literal(1)) })),
  aggregate: (input: fc.Arbitrary<PhysicalNode>, perRecord: boolean) =>
    fc.tuple(input, fc.constantFrom("COUNT", "SUM", "MIN", "MAX"), fc.boolean()).map(([of, name, keyed]) => {
      const calls = [{ function: name, args: [column(1)], distinct: false, type: DYNAMIC }];
      const keys = [keyed ? column(0) : literal(1)];
      const emission = perRecord ? "per-record" : "per-step";
      return node(2, { kind: "aggregate", input: of, keys, calls, appendOnly: false, emission });
    }),
  distinct: (input: fc.Arbitrary<PhysicalNode>, perRecord: boolean) =>
    input.map((of) => {
      const keys = [column(0), column(1)];
      const emission = perRecord ? "per-record" : "per-step";
      return node(2, { kind: "aggregate", input: of, keys, calls: [], appendOnly: false, emission });
    }),
  join: (input: fc.Arbitrary<PhysicalNode>) =>
    fc
      .record({
        left: input,
        right: input,
        type: fc.constantFrom(...joinTypes),
        keyed: fc.boolean(),
        nullsEqual: fc.boolean(),
        residual: fc.boolean(),
        notIn: fc.boolean(),
        takes: fc.constantFrom([0, 3], [1, 2], [0, 1], [2, 3]),
      })
      .map(({ left, right, type, keyed, nullsEqual, residual, notIn, takes }) => {
        const halves = type === "semi" || type === "anti";
        const key = { left: column(0), right: column(0), nullsEqual };
        const joined = node(halves ? 2 : 4, {
          kind: "join",
          type,
          left,
          right,
          keys: keyed && type !== "cross" ? [key] : [],
          ...(residual && type !== "cross" ? { residual: call("<=", column(1), column(3)) } : {}),
          ...(notIn && type === "anti" ? { notIn: { left: column(1), right: column(1) } } : {}),
          leftAppendOnly: false,
          rightAppendOnly: false,
          lookup: false,
        });
        return halves ? joined : project(joined, ...takes.map((index) => column(index)));
      }),
  "union-all": (input: fc.Arbitrary<PhysicalNode>) =>
    fc.array(input, { minLength: 1, maxLength: 3 }).map((inputs) => node(2, { kind: "union-all", inputs })),
  "set-operation": (input: fc.Arbitrary<PhysicalNode>) =>
    fc
      .tuple(input, input, fc.constantFrom("except" as const, "intersect" as const), fc.boolean())
      .map(([left, right, operator, all]) => node(2, { kind: "set-operation", operator, all, left, right })),
  "top-n": (input: fc.Arbitrary<PhysicalNode>) =>
    fc
      .record({
        of: input,
        partitioned: fc.boolean(),
        descending: fc.boolean(),
        nullsFirst: fc.boolean(),
        limit: fc.nat(3),
        offset: fc.nat(2),
        numbered: fc.boolean(),
      })
      .map(({ of, partitioned, descending, nullsFirst, ...rest }) => {
        const top = node(rest.numbered ? 3 : 2, {
          kind: "top-n",
          input: of,
          partition: partitioned ? [column(0)] : [],
          keys: [{ expression: column(1), descending, nullsFirst }],
          appendOnly: false,
          ...rest,
        });
        return rest.numbered ? project(top, column(0), column(2)) : top;
      }),
  window: (input: fc.Arbitrary<PhysicalNode>) =>
    fc
      .record({
        of: input,
        partitioned: fc.boolean(),
        sorted: fc.boolean(),
        descending: fc.boolean(),
        nullsFirst: fc.boolean(),
        windowCall: windowCalls,
      })
      .map(({ of, partitioned, sorted, descending, nullsFirst, windowCall }) => {
        const { frame } = windowCall;
        // RANGE with an offset needs one sort key.
        const needsKey = frame.unit === "range" && ("offset" in frame.start || "offset" in frame.end);
        const window = node(3, {
          kind: "window",
          input: of,
          partition: partitioned ? [column(0)] : [],
          keys: sorted || needsKey ? [{ expression: column(1), descending, nullsFirst }] : [],
          calls: [windowCall],
          appendOnly: false,
        });
        return project(window, column(0), column(2));
      }),
} as const;

export type NodeName = keyof typeof nodes;

/** The named node over sources, or over other nodes. `shared`: a shared part may be read. */
export function plansOf(
  name: NodeName,
  options: { readonly deep: boolean; readonly perRecord: boolean; readonly shared: boolean },
): fc.Arbitrary<PhysicalNode> {
  const leaf: fc.Arbitrary<PhysicalNode> = fc
    .nat(options.shared ? 3 : 1)
    .map((at) => (at < 2 ? node(2, { kind: "source", source: at }) : node(2, { kind: "shared", shared: 0 })));
  const all = Object.values(nodes);
  const level = (below: fc.Arbitrary<PhysicalNode>): fc.Arbitrary<PhysicalNode> =>
    fc.oneof(leaf, ...all.map((make) => make(below, options.perRecord)));
  return nodes[name](options.deep ? level(level(leaf)) : leaf, options.perRecord);
}
