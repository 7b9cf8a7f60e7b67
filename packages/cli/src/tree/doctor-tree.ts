import type { Command } from "commander";
import { type Context, type Finish } from "./tree-parts.js";

/** `doctor`. */
export function addDoctor(program: Command, context: Context, finish: Finish): void {
  program
    .command("doctor")
    .description("look at what this program needs: Node, terminal, locale, files, the server")
    .action(() => finish(import("../commands/doctor.js").then(({ doctor }) => doctor(context()))));
}
