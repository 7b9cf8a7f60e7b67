/**
 * Benchmarks as ratios. The machine is noisy, so the thing and its floor (a bare loop, an echo, …) are
 * measured in turns in the same run, and medians with quartiles are told.
 */

/**
 * @typedef {object} Case
 * @property {string} case What was measured.
 * @property {string} unit Of `value` and `floor`.
 * @property {() => Promise<number>} measure One turn of the thing itself.
 * @property {() => Promise<number>} [floor] One turn of what it is compared with.
 * @property {string} [target] What the ratio (or the value, without a floor) should be.
 * @property {number} [turns] 10 unless said otherwise.
 * @property {number} [quantile] Which of the turns counts: the median unless said otherwise. Of CPU times a
 *   low one, since what else the machine does can only add to them.
 * @property {() => Promise<void>} [before] Set-up, not measured.
 * @property {() => Promise<void>} [after] The end of it.
 */

/** @param {Case[]} cases */
export async function bench(cases) {
  const asJson = process.argv.includes("--json");
  const results = [];
  for (const one of cases) {
    const values = [];
    const floors = [];
    await one.before?.();
    await one.measure();
    for (let turn = 0; turn < (one.turns ?? 10); turn++) {
      // Each is first as often as the other, since what one leaves behind meets the next.
      if (turn % 2 === 1) values.push(await one.measure());
      if (one.floor !== undefined) floors.push(await one.floor());
      if (turn % 2 === 0) values.push(await one.measure());
    }
    await one.after?.();
    const which = one.quantile ?? 0.5;
    const value = quantile(values, which);
    const floor = floors.length > 0 ? quantile(floors, which) : null;
    const result = {
      case: one.case,
      value: round(value),
      quartiles: [round(quantile(values, 0.25)), round(quantile(values, 0.75))],
      unit: one.unit,
      floor: floor === null ? null : round(floor),
      ratio: floor === null ? null : round(value / floor),
      target: one.target ?? null,
    };
    results.push(result);
    if (!asJson) console.log(line(result));
  }
  if (asJson) console.log(JSON.stringify(results, null, 2));
}

function line({ case: name, value, quartiles, unit, floor, ratio, target }) {
  const parts = [`${name}: ${value} ${unit} (quartiles ${quartiles.join(" … ")})`];
  if (floor !== null) parts.push(`floor ${floor}`, `ratio ${ratio}`);
  if (target !== null) parts.push(`target ${target}`);
  return parts.join(", ");
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.round(q * (sorted.length - 1)))];
}

/** Three significant digits. */
function round(value) {
  return Number(value.toPrecision(3));
}
