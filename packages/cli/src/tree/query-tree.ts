import type { Command } from "commander";
import type { DeleteFlags } from "./stream-tree.js";
import { type Context, dryRun, type Finish, group } from "./tree-parts.js";

/** `query …` and `view …`. */
export function addQueries(program: Command, context: Context, finish: Finish): void {
  const load = () => import("../commands/query.js");
  const query = group(program, "query", "queries that run");
  query
    .command("list")
    .description("the queries that run")
    .action(() => finish(load().then(({ listQueries }) => listQueries(context()))));
  query
    .command("describe <id>")
    .description("a query that runs")
    .action((id: string) => finish(load().then(({ describeQuery }) => describeQuery(context(), id))));
  query
    .command("terminate <id>")
    .description("end a query")
    .option("--if-exists", "no error when there is none of that id")
    .addOption(dryRun())
    .action((id: string, options: DeleteFlags) =>
      finish(load().then(({ terminateQuery }) => terminateQuery(context(), id, options))),
    );
  const view = group(program, "view", "views");
  view
    .command("list")
    .description("all views")
    .action(() => finish(load().then(({ listViews }) => listViews(context()))));
  view
    .command("describe <name>")
    .description("a view and its columns")
    .action((name: string) => finish(load().then(({ describeView }) => describeView(context(), name))));
  view
    .command("delete <name>")
    .description("delete a view")
    .option("--if-exists", "no error when there is none of that name")
    .addOption(dryRun())
    .action((name: string, options: DeleteFlags) =>
      finish(load().then(({ deleteView }) => deleteView(context(), name, options))),
    );
}
