import { visible } from "../output/display.js";
import { listLines } from "../output/list-lines.js";
import { bytesText } from "./bytes-text.js";
import { livePanel } from "./live-panel.js";
import type { ShellTools } from "./shell-tools.js";
import { sqlText, systemRows } from "./system-rows.js";

type ClusterCommand = "nodes" | "placement" | "drain" | "undrain";

/** The cluster from inside the shell; on a single node, what a command would do. */
export async function clusterCommand(
  session: ShellTools,
  command: ClusterCommand,
  argument: string,
  signal: AbortSignal,
  say: (text: string) => Promise<void>,
): Promise<void> {
  switch (command) {
    case "nodes":
      return livePanel(session, "nodes", signal, () => lookAtNodes(session, signal));
    case "placement":
      return showPlacement(session, argument.replace(/;$/, ""), signal, say);
    case "drain":
    case "undrain":
      return explainDrain(session, command, argument, say);
  }
}

/** `SHOW NODES`: once. */
export async function showNodes(
  session: ShellTools,
  signal: AbortSignal,
  say: (text: string) => Promise<void>,
): Promise<void> {
  await say((await lookAtNodes(session, signal)).join("\n"));
}

/** State, load, and what each node holds. */
async function lookAtNodes(session: ShellTools, signal: AbortSignal): Promise<readonly string[]> {
  const ask = (sql: string) => systemRows(session, sql, signal);
  const [nodes, shards, subscriptions] = await Promise.all([
    ask("SELECT * FROM nodes;"),
    ask(
      "SELECT node_id, COUNT(*) AS shards, COUNT(DISTINCT stream_name) AS streams FROM shards GROUP BY node_id;",
    ),
    ask("SELECT node_id, COUNT(*) AS n FROM subscriptions GROUP BY node_id;"),
  ]);
  const width = session.options.output.columns() - 1;
  // An address that is cut would be of no use, so a narrow screen shows less of the rest.
  const wide = width >= 95;
  const rows = nodes.map((one) => {
    const id = one["node_id"];
    const held = shards.find((other) => other["node_id"] === id);
    const subscribed = subscriptions.find((other) => other["node_id"] === id)?.["n"];
    return [
      id,
      one["address"],
      one["state"]?.toLowerCase(),
      bytesText(one["appended_bytes"]),
      ...(wide ? [bytesText(one["read_bytes"]), Number(held?.["streams"] ?? 0)] : []),
      Number(held?.["shards"] ?? 0),
      Number(subscribed ?? 0),
      Number(one["running_queries"] ?? 0),
    ];
  });
  const more = wide ? ["read", "streams"] : [];
  const columns = ["node", "address", "state", "written", ...more, "shards", "subs", "queries"];
  return listLines(columns, rows, width);
}

async function showPlacement(
  session: ShellTools,
  name: string,
  signal: AbortSignal,
  say: (text: string) => Promise<void>,
): Promise<void> {
  if (name === "") return say(":placement takes the name of a stream.");
  // Says it in words when there is no such stream.
  await session.options.link.client.streams.get(name, { signal });
  const shards = await systemRows(
    session,
    `SELECT s.shard_id, s.node_id, n.address, s.tail_batch_id FROM shards AS s JOIN nodes AS n ON s.node_id = n.node_id WHERE s.stream_name = ${sqlText(name)};`,
    signal,
  );
  const rows = shards.map((one) => [
    one["shard_id"] ?? one["s.shard_id"],
    `${one["node_id"] ?? "?"} (${one["address"] ?? "?"})`,
    one["tail_batch_id"],
  ]);
  const width = session.options.output.columns() - 1;
  await say(listLines(["shard", "node", "newest batch"], rows, width).join("\n"));
}

async function explainDrain(
  session: ShellTools,
  command: "drain" | "undrain",
  argument: string,
  say: (text: string) => Promise<void>,
): Promise<void> {
  const { serverNodesStatus } = await session.options.link.client.describeCluster();
  const nodes = serverNodesStatus.flatMap(({ node }) => (node === undefined ? [] : [node]));
  const wanted = argument.replace(/;$/, "");
  const node = visible(wanted === "" ? String(nodes[0]?.id ?? 1) : wanted);
  if (nodes.length > 1) return say(`This server does not take :${command} yet.`);
  const would =
    command === "drain"
      ? `In a cluster, :drain ${node} would move the shards, queries and subscriptions of node ${node} to the others and keep new ones away.`
      : `In a cluster, :undrain ${node} would let node ${node} take new work again.`;
  return say(`${would} There is one node, so nothing was done.`);
}
