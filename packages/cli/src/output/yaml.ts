import type { Page } from "./page.js";

/** Rows as a YAML list of maps. Every scalar is also JSON, so that nothing is read as something else. */
export function yamlRows(page: Page): string {
  let out = "";
  for (let row = 0; row < page.rowCount; row += 1) {
    let mark = "- ";
    if (page.isDeletion(row)) {
      out += `${mark}$op: delete\n`;
      mark = "  ";
    }
    if (page.columns.length === 0) out += "- {}\n";
    for (const [column, name] of page.columns.entries()) {
      out += `${mark}${yamlKey(name)}: ${page.json(row, column)}\n`;
      mark = "  ";
    }
  }
  return out;
}

/** Any JSON value in YAML, the outer levels as blocks. */
export function yamlDocument(value: unknown): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]\n";
    return value.map((item) => indentFirst(yamlDocument(item))).join("");
  }
  if (typeof value !== "object" || value === null) return `${JSON.stringify(value)}\n`;
  const entries = Object.entries(value);
  if (entries.length === 0) return "{}\n";
  return entries
    .map(([name, item]) => {
      const nested = typeof item === "object" && item !== null && Object.keys(item).length > 0;
      if (!nested) return `${yamlKey(name)}: ${JSON.stringify(item)}\n`;
      return `${yamlKey(name)}:\n${yamlDocument(item)
        .trimEnd()
        .split("\n")
        .map((line) => `  ${line}\n`)
        .join("")}`;
    })
    .join("");
}

function indentFirst(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line, place) => `${place === 0 ? "- " : "  "}${line}\n`)
    .join("");
}

/** Words that YAML takes for something else than a text stay in quotes. */
function yamlKey(name: string): string {
  const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(name);
  return plain ? name : JSON.stringify(name);
}
