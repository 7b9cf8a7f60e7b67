import { unreachable } from "@hstream/proto";
import type { FunctionEntry, Signature } from "./function.js";
import { functionTable } from "./table.js";

/** The chapters of docs/sql/functions.md, by the first entry of each. */
const chapters: ReadonlyMap<string, string> = new Map([
  ["AND", "Syntax"],
  ["=", "Comparisons"],
  ["+", "Arithmetic"],
  ["IFNULL", "NULLs, types, the clock"],
  ["SIN", "Numbers"],
  ["TO_LOWER", "Text"],
  ["REGEXP_MATCHES", "Regular expressions"],
  ["DATETOSTRING", "Dates and times"],
  ["ARRAY", "Arrays"],
  ["->", "JSON"],
  ["COUNT", "Aggregates"],
  ["ROW_NUMBER", "Window functions"],
]);

/** The manual's page of functions, made of the table. */
export function renderFunctions(): string {
  const lines = [
    "# Functions",
    "",
    "Made of the function table by `node scripts/render-functions.mjs`; every example is run by a test. A result is",
    "shown as `TO_STR` prints it; *error* is an expression error: NULL, and an entry in the query's error stream.",
    "An argument that is NULL makes the result NULL unless the line says otherwise. What reads *any* takes every type.",
    "Characters are Unicode code points, moments are in UTC, arrays count from 0.",
  ];
  for (const entry of functionTable) {
    const chapter = chapters.get(entry.name);
    if (chapter !== undefined) {
      lines.push(
        "",
        `## ${chapter}`,
        "",
        "| function | what it gives | example | result |",
        "|---|---|---|---|",
      );
    }
    lines.push(...rowsOf(entry));
  }
  return `${lines.join("\n")}\n`;
}

function rowsOf(entry: FunctionEntry): readonly string[] {
  const name = [entry.name, ...(entry.aliases ?? [])].map((one) => code(one)).join(", ");
  const over = "exampleRows" in entry && entry.examples.length > 0 ? `; x is ${entry.exampleRows}` : "";
  return entry.examples.map(({ sql, result }, i) => {
    const first = i === 0 ? [`${name}${parametersOf(entry)}`, cell(entry.help)] : ["", ""];
    const shown = result === "error" ? "*error*" : code(result);
    return `| ${[...first, `${code(sql)}${i === 0 ? over : ""}`, shown].join(" | ")} |`;
  });
}

function parametersOf(entry: FunctionEntry): string {
  switch (entry.kind) {
    case "form":
      return "";
    case "scalar":
      return entry.operator === true
        ? ""
        : ` (${[...new Set(entry.signatures.map(signatureText))].join("; ")})`;
    case "aggregate":
    case "window":
      return ` (${signatureText(entry)})`;
    default:
      return unreachable(entry);
  }
}

function signatureText({
  parameters,
  optional = 0,
  rest,
}: Pick<Signature, "parameters" | "optional" | "rest">): string {
  const required = parameters.length - optional;
  const names = parameters.map((family, i) => (i < required ? family : `[${family}]`));
  return [...names, ...(rest === undefined ? [] : [`${rest} …`])].join(", ");
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
const code = (text: string): string => `\`${cell(text).replaceAll("`", "'")}\``;
