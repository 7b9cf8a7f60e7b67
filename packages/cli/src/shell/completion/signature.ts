import type { FunctionEntry, SqlType } from "@hstream/sql/runtime";

/** How a function is called, one line a signature: `SUBSTR(string, integer [, integer]) → STRING`. */
export function signaturesOf(entry: FunctionEntry, nameOf: (type: SqlType) => string): readonly string[] {
  switch (entry.kind) {
    case "form":
      return [];
    case "aggregate":
    case "window":
      return [line(entry.name, entry.parameters, entry.optional ?? 0, undefined, entry.result, nameOf)];
    case "scalar":
      if (entry.operator === true) return [];
      return entry.signatures.map((one) =>
        line(entry.name, one.parameters, one.optional ?? 0, one.rest, one.result, nameOf),
      );
  }
}

function line(
  name: string,
  parameters: readonly string[],
  optional: number,
  rest: string | undefined,
  result: SqlType | ((args: readonly SqlType[]) => SqlType),
  nameOf: (type: SqlType) => string,
): string {
  const needed = parameters.length - optional;
  const given = parameters.slice(0, needed).join(", ");
  const open = parameters
    .slice(needed)
    .map((one, place) => `${place === 0 && needed === 0 ? "" : ", "}${one}`);
  const more = open.map((one) => ` [${one}`.trimStart()).join("") + "]".repeat(open.length);
  const others = rest === undefined ? "" : `${parameters.length === 0 ? "" : ", "}${rest}…`;
  const type = typeof result === "function" ? undefined : nameOf(result);
  return `${name}(${given}${more}${others})${type === undefined ? "" : ` → ${type}`}`;
}
