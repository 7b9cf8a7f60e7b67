import type { PhysicalPlan } from "@hstream/sql";
import type { Timer } from "../env/env.js";
import { HStreamError } from "../errors.js";
import { groupKeysInOutput } from "../executor/plan-facts.js";
import type { StepInput, StepReport } from "../executor/step-input.js";
import { limits } from "../limits.js";
import { Barrier } from "./barrier.js";
import type { PersistentQueries } from "./persistent-queries.js";
import type { PersistentQuery } from "./persistent-query.js";
import { lookedUpKey } from "./point-look-up.js";
import {
  recordInputs,
  type SourceStream,
  sourceStreams,
  storedBatches,
  type StoredPiece,
} from "./query-input.js";
import { errorRows, queryIdOfErrors } from "./query-errors.js";
import type { QueryTools } from "./query-tools.js";
import type { SystemRooms } from "./system-tables/system-table.js";
import { systemTableById } from "./system-tables/table-list.js";

/** What has rows of its own: views and system tables. */
export interface RowSources {
  readonly persistent: PersistentQueries;
  readonly system: SystemRooms;
}

/**
 * Answers from what is stored at the moment of the call: all that was acknowledged before it, and nothing
 * that comes later, the same for all streams and views that it reads. Yields the steps' reports; leaving
 * the iteration cancels the query.
 */
export async function* pull(
  tools: QueryTools,
  rowSources: RowSources,
  plan: PhysicalPlan,
): AsyncGenerator<StepReport, undefined> {
  const { env, log, executor } = tools;
  const inputs = sourceStreams(plan, tools.streams);
  const barrier = new Barrier(log);
  for (const shardId of inputs.flatMap(({ stream }) => stream.shardIds)) barrier.tailOf(shardId);
  const views = viewRows(tools, rowSources.persistent, plan, barrier);
  // Its failure is told where it is waited for, unless something else fails before.
  views.catch(() => undefined);
  const execution = executor.open(plan, { kind: "emit" }, env.clock.now());
  try {
    for (const rows of [...(await tableRows(plan, rowSources.system)), ...(await views)]) {
      yield* execution.feed([rows], env.clock.now());
    }
    // A piece is read and handed over while the worker is busy with the one before.
    let before: AsyncIterable<StepReport> | undefined;
    for await (const { piece, sources } of storedPieces(tools, inputs, barrier)) {
      const records = recordInputs(sources, piece.batches);
      const reports = execution.feed(records, env.clock.now(), false, piece.memory);
      if (before !== undefined && (yield* untilFinished(before))) return;
      before = reports;
    }
    if (before !== undefined && (yield* untilFinished(before))) return;
    yield* execution.end(env.clock.now());
  } finally {
    execution.cancel();
  }
}

/** What the streams keep up to the barrier, in pieces of bounded size. */
async function* storedPieces(
  { log, executor }: QueryTools,
  inputs: readonly SourceStream[],
  barrier: Barrier,
): AsyncGenerator<{ readonly piece: StoredPiece; readonly sources: readonly number[] }, undefined> {
  for (const { stream, sources } of inputs) {
    for (const shardId of stream.shardIds) {
      const tail = barrier.tailOf(shardId);
      for await (const piece of storedBatches(log, executor.inputMemory, shardId, tail)) {
        yield { piece, sources };
      }
    }
  }
}

/** Passes reports on; whether one of them says that no more input is wanted. */
async function* untilFinished(reports: AsyncIterable<StepReport>): AsyncGenerator<StepReport, boolean> {
  for await (const report of reports) {
    yield report;
    if (report.finished) return true;
  }
  return false;
}

/** The present rows of the system tables that a plan reads; each is asked once. */
async function tableRows(plan: PhysicalPlan, system: SystemRooms): Promise<StepInput[]> {
  const inputs: StepInput[] = [];
  const tables = new Map<string, readonly Uint8Array[]>();
  for (const [source, { id }] of plan.sources.entries()) {
    const table = systemTableById(id);
    const query = queryIdOfErrors(id);
    if (table === undefined && query === undefined) continue;
    const rows = async () => errorRows(await system.persistent.errorsOf(query ?? ""));
    const batches = tables.get(id) ?? (await (table?.snapshot(system) ?? rows()));
    tables.set(id, batches);
    inputs.push({ kind: "rows", source, batches });
  }
  return inputs;
}

/**
 * The rows of the views that a plan reads, all at one barrier. All are asked in the turn of the event loop
 * in which this is called. Rejects with ReadTimedOut after viewWaitMs, and as a view does that does not run.
 */
async function viewRows(
  { env }: QueryTools,
  persistent: PersistentQueries,
  plan: PhysicalPlan,
  barrier: Barrier,
): Promise<StepInput[]> {
  const read: PersistentQuery[] = [];
  const answers = plan.sources.map(async (one, source): Promise<StepInput[]> => {
    if (one.kind !== "rows" || one.relation !== "view") return [];
    const view = persistent.byId(one.id);
    if (view === undefined) throw new HStreamError("ViewNotFound", { view: one.name });
    read.push(view);
    const key = lookedUpKey(plan, source, groupKeysInOutput(view.planned.plan));
    const { batches } = await view.snapshot(barrier, key);
    return [{ kind: "rows", source, batches }];
  });
  if (read.length === 0) return (await Promise.all(answers)).flat();
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = env.timers.after(limits.viewWaitMs, () => {
      const detail = read.map((view) => `view "${view.relation.name}": ${view.behind(barrier)}`).join("; ");
      const error = new HStreamError("ReadTimedOut", { detail });
      barrier.cancel(error);
      reject(error);
    });
  });
  try {
    return (await Promise.race([Promise.all(answers), late])).flat();
  } finally {
    timer?.cancel();
    barrier.cancel(new Error("nobody waits for the answer any more"));
  }
}
