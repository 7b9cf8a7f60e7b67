/** Milliseconds as people say it. */
export function duration(ms: string | number | undefined): string | undefined {
  if (ms === undefined || ms === "") return undefined;
  const value = Number(ms);
  if (!Number.isFinite(value)) return undefined;
  if (value < 1_000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1_000).toFixed(1)} s`;
  if (value < 3_600_000) return `${Math.round(value / 60_000)} min`;
  return `${(value / 3_600_000).toFixed(1)} h`;
}
