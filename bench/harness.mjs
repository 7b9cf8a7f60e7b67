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
 * @property {() => Promise<number>} [floorAgain] One turn of the floor's twin. With it the ratios are taken
 *   round by round, and told with an interval that holds their median in 19 of 20 runs; how far the twin's
 *   is from 1 is the noise.
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
    const { measure, floor, floorAgain } = one;
    const kinds = [measure, floor, floorAgain].filter((kind) => kind !== undefined);
    const turns = new Map(kinds.map((kind) => [kind, []]));
    await one.before?.();
    await measure();
    for (let round = 0; round < (one.turns ?? 10); round++) {
      for (const kind of orderOf(round, kinds)) turns.get(kind).push(await kind());
    }
    await one.after?.();
    const which = one.quantile ?? 0.5;
    const values = turns.get(measure);
    const value = quantile(values, which);
    const floors = turns.get(floor);
    const least = floors === undefined ? null : quantile(floors, which);
    const result = {
      case: one.case,
      value: round(value),
      quartiles: [round(quantile(values, 0.25)), round(quantile(values, 0.75))],
      unit: one.unit,
      floor: least === null ? null : round(least),
      ratio: least === null ? null : round(value / least),
      target: one.target ?? null,
    };
    if (floorAgain !== undefined) {
      const { median, interval } = ratios(values, floors);
      const itself = ratios(turns.get(floorAgain), floors);
      Object.assign(result, {
        ratio: median,
        interval,
        itself: itself.median,
        itselfInterval: itself.interval,
      });
    }
    results.push(result);
    if (!asJson) console.log(line(result));
  }
  if (asJson) console.log(JSON.stringify(results, null, 2));
}

function line({
  case: name,
  value,
  quartiles,
  unit,
  floor,
  ratio,
  target,
  interval,
  itself,
  itselfInterval,
}) {
  const parts = [`${name}: ${value} ${unit} (quartiles ${quartiles.join(" … ")})`];
  if (floor !== null) parts.push(`floor ${floor}`, `ratio ${ratio}`);
  if (interval !== undefined) {
    parts[parts.length - 1] += ` (${interval.join(" … ")})`;
    parts.push(`the floor against itself ${itself} (${itselfInterval.join(" … ")})`);
  }
  if (target !== null) parts.push(`target ${target}`);
  return parts.join(", ");
}

/**
 * The kinds in the order of their turns: each is first, and before each other, as often as the others, since
 * what one leaves behind meets the next.
 */
function orderOf(round, kinds) {
  const start = round % kinds.length;
  const order = [...kinds.slice(start), ...kinds.slice(0, start)];
  return Math.floor(round / kinds.length) % 2 === 0 ? order : order.reverse();
}

/** The median of the ratios of pairs of turns, with the 95 % interval of its order statistics. */
function ratios(values, floors) {
  const list = values.map((value, index) => value / floors[index]);
  const reach = 0.98 / Math.sqrt(list.length);
  const at = (q) => Number(quantile(list, Math.min(1, Math.max(0, q))).toFixed(3));
  return { median: at(0.5), interval: [at(0.5 - reach), at(0.5 + reach)] };
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.round(q * (sorted.length - 1)))];
}

/** Three significant digits. */
function round(value) {
  return Number(value.toPrecision(3));
}
