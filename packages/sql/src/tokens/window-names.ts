import type { WindowKind } from "../ast/ast.js";

const windowNames: ReadonlyMap<string, WindowKind> = new Map([
  ["TUMBLE", "TUMBLE"],
  ["TUMBLING", "TUMBLE"],
  ["HOP", "HOP"],
  ["HOPPING", "HOP"],
  ["SESSION", "SESSION"],
  ["SLIDE", "SLIDE"],
  ["SLIDING", "SLIDE"],
]);

/** The window of that name in any dialect. */
export function windowNamed(name: string): WindowKind | undefined {
  return windowNames.get(name.toUpperCase());
}
