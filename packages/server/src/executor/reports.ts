import type { StepReport } from "./step-input.js";

/** Reads all reports and puts them into one. For answers that are known to be small. */
export async function collectReports(reports: AsyncIterable<StepReport>): Promise<StepReport> {
  let all: StepReport | undefined;
  for await (const report of reports) all = all === undefined ? report : joined(all, report);
  return all ?? emptyReport;
}

export const emptyReport: StepReport = {
  output: [],
  rowsIn: 0,
  rowsOut: 0,
  diverted: 0,
  divertedBy: {},
  errors: { count: 0, first: [] },
  stateBytes: 0,
  finished: false,
};

function joined(a: StepReport, b: StepReport): StepReport {
  const divertedBy: Record<string, number> = { ...a.divertedBy };
  for (const [reason, count] of Object.entries(b.divertedBy))
    divertedBy[reason] = (divertedBy[reason] ?? 0) + count;
  return {
    output: [...a.output, ...b.output],
    rowsIn: a.rowsIn + b.rowsIn,
    rowsOut: a.rowsOut + b.rowsOut,
    diverted: a.diverted + b.diverted,
    divertedBy,
    errors: {
      count: a.errors.count + b.errors.count,
      first: a.errors.first.length > 0 ? a.errors.first : b.errors.first,
    },
    stateBytes: b.stateBytes,
    finished: b.finished,
  };
}
