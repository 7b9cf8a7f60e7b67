/** One statement over stored batches, in this thread, without log and server. */
import { loadInflate } from "@hstream/proto";
import { bindStatement, optimise, parseScript, toPhysical } from "@hstream/sql";
import { Execution } from "../../packages/server/dist/executor/execution.js";
import { limits } from "../../packages/server/dist/limits.js";

export const inflateForBench = () => loadInflate(limits.inflatedBytesMax);

export function planOf(sql, tables) {
  const catalog = {
    relation: (name) =>
      tables[name] === undefined
        ? undefined
        : {
            kind: "stream",
            id: name,
            name,
            columns: Object.entries(tables[name]).map(([column, type]) => ({
              name: column,
              type: { kind: type.toLowerCase() },
            })),
            open: true,
            appendOnly: true,
          },
    relationNames: () => Object.keys(tables),
  };
  const { statements, diagnostics } = parseScript(`${sql};`);
  const result = diagnostics.length > 0 ? { diagnostics } : bindStatement(statements[0], catalog);
  const errors = result.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("; "));
  return toPhysical(optimise(result.bound.query));
}

/** How many rows came out. `streams`: by name, what `storedBatches` gives. */
export function runSql(sql, tables, streams, inflate) {
  const plan = planOf(sql, tables);
  const execution = new Execution(plan, { kind: "emit" }, 0, inflate, limits);
  let rows = 0;
  let bytes = 0;
  const take = ({ output, rowsOut }) => {
    rows += rowsOut;
    for (const batch of output) bytes += batch.length;
  };
  take(execution.step(0));
  for (const [source, { id }] of plan.sources.entries()) {
    execution.feed([{ kind: "records", source, batches: streams[id].batches }]);
  }
  while (execution.pending) take(execution.step(0));
  if (plan.emit.kind === "pull") {
    for (let done = false; !done; ) {
      const finished = execution.finish();
      take(finished.report);
      done = finished.done;
    }
  }
  return { rows, bytes, plan };
}
