import { listLines } from "../output/list-lines.js";
import { visible } from "../output/display.js";
import type { ShellTools } from "./shell-tools.js";

type ClusterCommand = "nodes" | "placement" | "drain" | "undrain";
const stateNames = ["starting", "running", "unavailable", "dead"] as const;

/** The cluster from inside the shell; on a single node, what a command would do. */
export async function clusterCommand(
  session: ShellTools,
  command: ClusterCommand,
  argument: string,
  say: (text: string) => Promise<void>,
): Promise<void> {
  const { link, output } = session.options;
  const { serverNodesStatus } = await link.client.describeCluster();
  const nodes = serverNodesStatus.flatMap(({ node, state }) =>
    node === undefined ? [] : [{ ...node, state }],
  );
  const width = output.columns() - 1;
  switch (command) {
    case "nodes": {
      const streams = await link.client.streams.list();
      const shards = streams.reduce((sum, { shardCount }) => sum + shardCount, 0);
      const rows = nodes.map(({ id, host, port, state }) => [
        id,
        `${host}:${port}`,
        stateNames[state] ?? "unknown",
        // What each of several holds is the placement's answer.
        nodes.length === 1 ? `${streams.length} streams, ${shards} shards` : "",
      ]);
      return say(listLines(["node", "address", "state", "holds"], rows, width).join("\n"));
    }
    case "placement": {
      if (argument === "") return say(":placement takes the name of a stream.");
      const shards = await link.client.streams.listShards(argument.replace(/;$/, ""));
      const first = nodes[0];
      const where =
        nodes.length === 1 && first !== undefined ? `${first.id} (${first.host}:${first.port})` : "?";
      const rows = shards.map(({ shardId }) => [String(shardId), where]);
      return say(listLines(["shard", "node"], rows, width).join("\n"));
    }
    case "drain":
    case "undrain": {
      const node = visible(argument === "" ? String(nodes[0]?.id ?? 1) : argument);
      if (nodes.length > 1) return say(`This server does not take :${command} yet.`);
      const would =
        command === "drain"
          ? `In a cluster, :drain ${node} would move the shards, queries and subscriptions of node ${node} to the others and keep new ones away.`
          : `In a cluster, :undrain ${node} would let node ${node} take new work again.`;
      return say(`${would} There is one node, so nothing was done.`);
    }
  }
}
