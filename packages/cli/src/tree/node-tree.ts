import type { Command } from "commander";
import { type Context, type Finish, group, wholeNumber } from "./tree-parts.js";

/** `node …` and `init`. */
export function addNode(program: Command, context: Context, finish: Finish): void {
  const load = () => import("../commands/node.js");
  const node = group(program, "node", "the nodes of the cluster");
  node
    .command("list")
    .description("all nodes")
    .action(() => finish(load().then(({ listNodes }) => listNodes(context(), false))));
  node
    .command("status")
    .description("all nodes and their states")
    .action(() => finish(load().then(({ listNodes }) => listNodes(context(), true))));
  node
    .command("check-running")
    .description("end with 0 when the nodes run, with 1 otherwise")
    .option("-n, --nodes <count>", "at least so many must run", wholeNumber(1))
    .action((options: { nodes?: number }) =>
      finish(load().then(({ checkRunning }) => checkRunning(context(), options.nodes))),
    );
  program
    .command("init")
    .description("initialise a cluster; one that runs stays as it is")
    .action(() => finish(load().then(({ initCluster }) => initCluster(context()))));
}
