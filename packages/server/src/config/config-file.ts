import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";

/** A value of the file with the line that it stands on. */
export interface FileEntry {
  readonly key: string;
  readonly value: unknown;
  readonly line: number;
}

export type ParsedFile =
  | { readonly kind: "entries"; readonly entries: readonly FileEntry[] }
  | { readonly kind: "invalid"; readonly problems: readonly { line: number; message: string }[] };

/** Reads a configuration file: YAML, of which nested keys are joined by dots. */
export function parseConfigFile(text: string): ParsedFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number) => lines.linePos(offset).line;
  const problems = document.errors.map(({ message, pos }) => ({ line: lineOf(pos[0]), message }));
  const entries: FileEntry[] = [];
  const visit = (node: Node | null, path: string, line: number) => {
    if (node === null || (isScalar(node) && node.value === null && path === "")) return;
    if (isScalar(node) && path !== "") entries.push({ key: path, value: node.value, line });
    else if (isMap(node)) {
      for (const { key, value } of node.items) {
        const keyLine = isScalar(key) && key.range ? lineOf(key.range[0]) : line;
        const name = isScalar(key) ? String(key.value) : "?";
        visit(value as Node | null, path === "" ? name : `${path}.${name}`, keyLine);
      }
    } else {
      const message = path === "" ? "The file must be a map of settings." : `${path} must be a single value.`;
      problems.push({ line, message });
    }
  };
  if (problems.length === 0) visit(document.contents, "", 1);
  return problems.length > 0 ? { kind: "invalid", problems } : { kind: "entries", entries };
}
