import type { PhysicalPlan } from "@hstream/sql/runtime";
import { HStreamError } from "../../errors.js";
import type { StateReader } from "./state-reader.js";
import type { StateWriter } from "./state-writer.js";

/** Raise with any change of what an operator, a source or a sink saves. */
export const stateVersion = 1;

/**
 * What a saved state begins with: count (stateVersion), text (the whole plan). Only the very same plan
 * goes on from it; the text is short beside any state, and cannot collide as a hash could.
 */
export function writeStateHeader(writer: StateWriter, plan: PhysicalPlan): void {
  writer.count(stateVersion);
  writer.text(planText(plan));
}

/** Throws QueryStateUnreadable for a state of another version or plan. */
export function readStateHeader(reader: StateReader, plan: PhysicalPlan): void {
  const version = reader.count();
  if (version !== stateVersion) {
    throw new HStreamError("QueryStateUnreadable", { detail: `it is of version ${version}` });
  }
  if (reader.text() !== planText(plan)) {
    throw new HStreamError("QueryStateUnreadable", { detail: "it is of another plan" });
  }
}

/** A text that is the same for the same plans only: values that JSON lacks are told apart from those it has. */
function planText(plan: PhysicalPlan): string {
  return JSON.stringify(plan, (_name, value: unknown): unknown => {
    if (typeof value === "bigint") return { $bigint: value.toString() };
    if (value instanceof Map) return { $map: [...(value as ReadonlyMap<unknown, unknown>)] };
    if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
    if (Object.is(value, -0)) return { $number: "-0" };
    if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
    return value;
  });
}
