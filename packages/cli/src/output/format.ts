export const outputFormats = ["table", "json", "ndjson", "csv"] as const;
export type OutputFormat = (typeof outputFormats)[number];

export function isOutputFormat(text: string): text is OutputFormat {
  return (outputFormats as readonly string[]).includes(text);
}
