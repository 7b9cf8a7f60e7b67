import type { PhysicalPlan } from "@hstream/sql";
import { must } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { StepInput, StepReport } from "../executor/step-input.js";
import { recordInputs, sourceStreams, storedBatches, tailsOf } from "./query-input.js";
import type { QueryTools } from "./query-tools.js";
import type { ViewRegistry } from "./view-registry.js";

/**
 * Answers from what is stored at the moment of the call: all that was acknowledged before it, and
 * nothing that comes later. Yields the steps' reports; leaving the iteration cancels the query.
 */
export async function* pull(
  tools: QueryTools,
  views: ViewRegistry,
  plan: PhysicalPlan,
): AsyncGenerator<StepReport, undefined> {
  const { env, log, executor } = tools;
  const inputs = sourceStreams(plan, tools.streams);
  const tails = tailsOf(log, inputs);
  const execution = executor.open(plan, { kind: "emit" }, env.clock.now());
  try {
    for (const rows of await viewRows(plan, views)) {
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

/** The present rows of the views that a plan reads. */
async function viewRows(plan: PhysicalPlan, views: ViewRegistry): Promise<StepInput[]> {
  const inputs: StepInput[] = [];
  for (const [source, { kind, name }] of plan.sources.entries()) {
    if (kind !== "rows") continue;
    const view = views.find(name);
    if (view === undefined) throw new HStreamError("ViewNotFound", { view: name });
    const { batches } = await view.snapshot();
    inputs.push({ kind: "rows", source, batches });
  }
  return inputs;
}
