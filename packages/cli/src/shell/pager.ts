import { displayWidth } from "../output/display.js";
import type { SessionOptions } from "./shell-tools.js";

/** Longer results are printed rather than held for a pager. */
const pagedUnitsMax = 16 * 1_048_576;

export interface PagedOutput {
  readonly write: (text: string) => Promise<void>;
  readonly end: () => Promise<void>;
}

/** Gathers a result, and shows it in the pager if it is taller or wider than the screen. */
export function pageOutput({ output, system }: SessionOptions): PagedOutput {
  let text = "";
  let through = false;
  return {
    write: async (piece) => {
      if (through) return output.write(piece);
      text += piece;
      if (text.length <= pagedUnitsMax) return;
      through = true;
      await output.write(text);
      text = "";
    },
    end: async () => {
      if (through) return;
      if (!needsPager(text, output.columns(), output.rows()) || output.lend === undefined) {
        return output.write(text);
      }
      const [command = "less", ...args] = (system.env["HSTREAM_PAGER"] ?? system.env["PAGER"] ?? "less")
        .split(/\s+/)
        .filter((word) => word !== "");
      let code: number | undefined;
      // The text stays on the screen when less is left; a short one does not open it at all.
      const env = { LESS: system.env["LESS"] ?? "FRSX" };
      await output.lend(async () => {
        code = await system.runProgram({ command, args, input: text, env });
      });
      if (code === undefined) await output.write(text);
    },
  };
}

/** Whether the text takes more lines or cells than the screen has. */
export function needsPager(text: string, columns: number, rows: number): boolean {
  const lines = text.split("\n");
  if (lines.length > rows - 1) return true;
  return lines.some((line) => displayWidth(line) > columns);
}
