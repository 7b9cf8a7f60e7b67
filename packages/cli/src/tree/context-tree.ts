import type { Command } from "commander";
import { type Context, type Finish, group } from "./tree-parts.js";

/** `context …`. */
export function addContexts(program: Command, context: Context, finish: Finish): void {
  const load = () => import("../commands/contexts.js");
  const contexts = group(program, "context", "names for servers").alias("ctx");
  contexts
    .command("add <name> <url>")
    .description("give the server at hstream://host:port a name")
    .addHelpText("after", "\nExample:\n  hstream context add staging hstream://10.0.0.5:6570")
    .action((name: string, url: string) =>
      finish(load().then(({ addContext }) => addContext(context(), name, url))),
    );
  contexts
    .command("use <name>")
    .description("talk to that server from now on; - is the one before")
    .action((name: string) => finish(load().then(({ useContext }) => useContext(context(), name))));
  contexts
    .command("list")
    .alias("ls")
    .description("all names")
    .action(() => finish(load().then(({ listContexts }) => listContexts(context()))));
  contexts
    .command("remove <name>")
    .alias("rm")
    .description("forget a name")
    .option("--if-exists", "no error when there is none of that name")
    .action((name: string, options: { ifExists?: boolean }) =>
      finish(load().then(({ removeContext }) => removeContext(context(), name, options))),
    );
}
