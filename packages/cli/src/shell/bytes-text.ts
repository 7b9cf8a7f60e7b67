/** Bytes as people say it; nothing counts as 0. */
export function bytesText(bytes: string | number | undefined): string {
  const value = Math.round(Number(bytes ?? 0));
  if (value < 1_024) return `${value} B`;
  if (value < 1_048_576) return `${(value / 1_024).toFixed(1)} KiB`;
  if (value < 1_073_741_824) return `${(value / 1_048_576).toFixed(1)} MiB`;
  return `${(value / 1_073_741_824).toFixed(1)} GiB`;
}
