import type { PhysicalPlan } from "@hstream/sql";
import { must } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { StepInput, StepReport } from "../executor/step-input.js";
import { recordInputs, sourceStreams, storedBatches, tailsOf } from "./query-input.js";
import type { QueryTools } from "./query-tools.js";
import type { SystemRooms } from "./system-tables/system-table.js";
import { systemTableById } from "./system-tables/table-list.js";
import type { ViewRegistry } from "./view-registry.js";

/** What has rows of its own: views and system tables. */
export interface RowSources {
  readonly views: ViewRegistry;
  readonly system: SystemRooms;
}

/**
 * Answers from what is stored at the moment of the call: all that was acknowledged before it, and
 * nothing that comes later. Yields the steps' reports; leaving the iteration cancels the query.
 */
export async function* pull(
  tools: QueryTools,
  rowSources: RowSources,
  plan: PhysicalPlan,
): AsyncGenerator<StepReport, undefined> {
  const { env, log, executor } = tools;
  const inputs = sourceStreams(plan, tools.streams);
  const tails = tailsOf(log, inputs);
  const execution = executor.open(plan, { kind: "emit" }, env.clock.now());
  try {
    for (const rows of await presentRows(plan, rowSources)) {
      yield* execution.feed([rows], env.clock.now());
    }
    for (const { stream, sources } of inputs) {
      for (const shardId of stream.shardIds) {
        const tail = must(tails.get(shardId), "every shard of a source has a tail");
        for await (const batches of storedBatches(log, shardId, tail)) {
          for await (const report of execution.feed(recordInputs(sources, batches), env.clock.now())) {
            yield report;
            if (report.finished) return;
          }
        }
      }
    }
    yield* execution.end(env.clock.now());
  } finally {
    execution.cancel();
  }
}

/** The present rows of the views and system tables that a plan reads; each is asked once. */
async function presentRows(plan: PhysicalPlan, { views, system }: RowSources): Promise<StepInput[]> {
  const inputs: StepInput[] = [];
  const tables = new Map<string, readonly Uint8Array[]>();
  for (const [source, { kind, name, id }] of plan.sources.entries()) {
    if (kind !== "rows") continue;
    const table = systemTableById(id);
    if (table !== undefined) {
      const batches = tables.get(id) ?? (await table.snapshot(system));
      tables.set(id, batches);
      inputs.push({ kind: "rows", source, batches });
      continue;
    }
    const view = views.find(name);
    if (view === undefined) throw new HStreamError("ViewNotFound", { view: name });
    const { batches } = await view.snapshot();
    inputs.push({ kind: "rows", source, batches });
  }
  return inputs;
}
