import { type ExitCode, exitCodes } from "../exit-codes.js";
import { type CommandContext, printList, report, withClient } from "./context.js";

const stateNames = ["STARTING", "RUNNING", "UNAVAILABLE", "DEAD"] as const;

export function listNodes(context: CommandContext, withStates: boolean): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const { serverNodesStatus } = await client.describeCluster();
    const columns = ["node_id", "host", "port", ...(withStates ? ["state"] : [])];
    const rows = serverNodesStatus.flatMap(({ node, state }) =>
      node === undefined
        ? []
        : [[node.id, node.host, node.port, ...(withStates ? [stateNames[state] ?? "UNKNOWN"] : [])]],
    );
    await printList(context, columns, rows);
  });
}

export async function checkRunning(context: CommandContext, wanted: number | undefined): Promise<ExitCode> {
  let enough = false;
  await withClient(context, async (client) => {
    const { serverNodesStatus } = await client.describeCluster();
    const all = serverNodesStatus.length;
    const running = serverNodesStatus.filter(({ state }) => state === 1).length;
    enough = running >= (wanted ?? all);
    await report(context, `${running} of ${wanted ?? all} nodes run.`, { running, nodes: all, enough });
  });
  return enough ? exitCodes.ok : exitCodes.failed;
}

export function initCluster(context: CommandContext): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const { serverNodes } = await client.describeCluster();
    const sentence = `The cluster runs with ${serverNodes.length === 1 ? "one node" : `${serverNodes.length} nodes`}; there is nothing to initialise.`;
    await report(context, sentence, { initialised: false, nodes: serverNodes.length });
  });
}
