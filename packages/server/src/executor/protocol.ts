import type { ColumnDef } from "@hstream/proto";
import type { PhysicalPlan, SqlValue } from "@hstream/sql/runtime";
import type { ErrorName } from "../errors.js";
import type { ExecutionLimits, SinkKind } from "./execution.js";
import type { StepInput, StepReport } from "./step-input.js";

/**
 * Messages between the main thread and a worker that executes queries. Plain data, cloned or transferred
 * in order. Raise the version with any change of meaning: both sides are of one build, and check.
 */
export const protocolVersion = 3;

/** Given to a worker when it starts. */
export interface WorkerSetup {
  readonly version: number;
  readonly limits: ExecutionLimits & {
    readonly inflatedBytesMax: number;
    readonly resultBatchesQueuedMax: number;
  };
  readonly heartbeat: SharedArrayBuffer;
}

/**
 * The heartbeat, Int32: [0] is one more at the beginning and at the end of each step, so odd while the
 * worker is busy, and two more now and then while a state is saved or loaded; [1] is the execution at work.
 */
export const heartbeatSlots = { beat: 0, execution: 1, count: 2 } as const;

/** Chosen by the main thread, never used twice by a host. */
export type ExecutionId = number;
/** Numbers the calls on an execution. */
export type CallId = number;

export type ToWorker =
  | {
      readonly kind: "open";
      readonly execution: ExecutionId;
      readonly plan: PhysicalPlan;
      readonly sink: SinkKind;
      readonly nowMs: number;
      /** What each operator does is counted here. */
      readonly counts: SharedArrayBuffer;
      /** What `save` gave, to go on from. */
      readonly state?: readonly Uint8Array[];
    }
  | {
      readonly kind: "feed";
      readonly execution: ExecutionId;
      readonly call: CallId;
      readonly inputs: readonly StepInput[];
      readonly nowMs: number;
      /** Of a materialised query: whether the reports have its changes. */
      readonly withChanges: boolean;
    }
  | { readonly kind: "end"; readonly execution: ExecutionId; readonly call: CallId; readonly nowMs: number }
  | {
      readonly kind: "snapshot";
      readonly execution: ExecutionId;
      readonly call: CallId;
      /** Only the row of this group key. */
      readonly key: readonly SqlValue[] | undefined;
    }
  | { readonly kind: "save"; readonly execution: ExecutionId; readonly call: CallId }
  /** The reader has taken so many answers, and room for as many more. */
  | { readonly kind: "taken"; readonly execution: ExecutionId; readonly answers: number }
  | { readonly kind: "cancel"; readonly execution: ExecutionId };

export type FromWorker =
  | { readonly kind: "ready"; readonly version: number }
  | {
      readonly kind: "report";
      readonly execution: ExecutionId;
      readonly call: CallId;
      readonly report: StepReport;
      /** The call's last report. */
      readonly last: boolean;
    }
  | {
      readonly kind: "snapshot";
      readonly execution: ExecutionId;
      readonly call: CallId;
      readonly batches: readonly Uint8Array[];
      readonly columns: readonly ColumnDef[];
      readonly last: boolean;
    }
  /** A chunk of the saved state. */
  | {
      readonly kind: "saved";
      readonly execution: ExecutionId;
      readonly call: CallId;
      readonly batches: readonly Uint8Array[];
      readonly last: boolean;
    }
  /** The execution is gone. `error`: its name in the closed list, or undefined for a defect. */
  | {
      readonly kind: "failed";
      readonly execution: ExecutionId;
      readonly error: ErrorName | undefined;
      readonly message: string;
    };

/** How much room for answers a message takes: one for each encoded batch, and at least one. */
export function answersIn(batches: readonly Uint8Array[]): number {
  return Math.max(1, batches.length);
}
