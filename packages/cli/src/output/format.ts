export const outputFormats = [
  "table",
  "vertical",
  "json",
  "ndjson",
  "csv",
  "tsv",
  "markdown",
  "yaml",
] as const;
export type OutputFormat = (typeof outputFormats)[number];

export function isOutputFormat(text: string): text is OutputFormat {
  return (outputFormats as readonly string[]).includes(text);
}
