import { displayWidth, pad, truncate, visible } from "./display.js";

export const chartKinds = ["line", "bar", "spark"] as const;
export type ChartKind = (typeof chartKinds)[number];

const eighthsUp = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const eighthsRight = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** Values as one line of blocks, the last `width` of them. What is no number is a blank. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-Math.max(0, width));
  const { min, max } = range(shown);
  return shown
    .map((value) => {
      if (!Number.isFinite(value)) return " ";
      const level = max === min ? (max === 0 ? 0 : 3) : Math.round(((value - min) / (max - min)) * 7);
      return eighthsUp[level] ?? " ";
    })
    .join("");
}

/** One bar a row: name, bar, value; at most `rows` of them, the longest first when they do not fit. */
export function barChart(
  bars: readonly { readonly name: string; readonly value: number }[],
  width: number,
  rows: number,
): readonly string[] {
  const finite = bars.filter(({ value }) => Number.isFinite(value));
  let shown = finite;
  if (finite.length > rows) {
    const room = Math.max(0, rows - 1);
    const most = new Set([...finite].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, room));
    shown = finite.filter((bar) => most.has(bar));
  }
  const names = shown.map(({ name }) => visible(name));
  const nameWidth = Math.min(Math.max(1, ...names.map(displayWidth)), Math.max(4, Math.floor(width / 3)));
  const values = shown.map(({ value }) => formatNumber(value));
  const valueWidth = Math.max(1, ...values.map((value) => value.length));
  const room = Math.max(1, width - nameWidth - valueWidth - 3);
  const most = Math.max(0, ...shown.map(({ value }) => Math.abs(value)));
  const lines = shown.map(({ value }, place) => {
    const eighths = most === 0 ? 0 : Math.round((Math.abs(value) / most) * room * 8);
    const bar = "█".repeat(Math.floor(eighths / 8)) + (eighthsRight[eighths % 8] ?? "");
    const name = pad(truncate(names[place] ?? "", nameWidth), nameWidth, false);
    return `${name} ${pad(values[place] ?? "", valueWidth, true)} ${value < 0 ? "-" : ""}${bar}`.trimEnd();
  });
  const hidden = finite.length - shown.length;
  return hidden > 0 ? [...lines, `… ${hidden.toLocaleString("en-US")} more`] : lines;
}

/** Values over time as columns of blocks, with the largest and the smallest at the left. */
export function lineChart(values: readonly number[], width: number, rows: number): readonly string[] {
  const height = Math.max(1, rows);
  const { min, max } = range(values);
  const labels = [formatNumber(max), formatNumber(min)];
  const labelWidth = Math.max(...labels.map((label) => label.length));
  const shown = values.slice(-Math.max(1, width - labelWidth - 2));
  const levels = shown.map((value) => {
    if (!Number.isFinite(value)) return 0;
    // A constant stands in the middle; the least of several is still seen.
    return max === min ? height * 4 : 1 + Math.round(((value - min) / (max - min)) * (height * 8 - 1));
  });
  const lines: string[] = [];
  for (let row = height - 1; row >= 0; row -= 1) {
    const label = row === height - 1 ? (labels[0] ?? "") : row === 0 ? (labels[1] ?? "") : "";
    const cells = levels.map((level) => {
      const part = level - row * 8;
      return part <= 0 ? " " : part >= 8 ? "█" : (eighthsUp[part - 1] ?? " ");
    });
    lines.push(`${pad(label, labelWidth, true)} ┤${cells.join("")}`.trimEnd());
  }
  return lines;
}

/** Shorter than it is exact: for labels. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-3)) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : value.toFixed(size >= 100 ? 1 : size >= 1 ? 2 : 4);
}

function range(values: readonly number[]): { readonly min: number; readonly max: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min > max ? { min: 0, max: 0 } : { min, max };
}
