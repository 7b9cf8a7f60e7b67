import type { handleUnaryCall, ServerUnaryCall } from "@grpc/grpc-js";
import { type Empty, type HStreamApiServer, NodeState, ResourceType } from "@hstream/proto";
import type { Cluster, Member } from "../cluster/cluster.js";
import { HStreamError } from "../errors.js";
import { resourceIdProblem } from "../streams/names.js";
import type { SqlService } from "../queries/sql-service.js";
import { StatementRunner } from "./statement-runner.js";
import { userAgentOf } from "./call-metadata.js";
import { encodeDescription, knowsOldDescription } from "./describe-codec.js";
import type { Handlers } from "./handlers.js";

/** The version of the API, not of the server. */
const protocolVersion = "0.1.0";

type ClusterRpcs = Pick<
  HStreamApiServer,
  "echo" | "lookupShard" | "lookupSubscription" | "lookupShardReader" | "lookupResource" | "lookupKey"
>;

/** Who is there and who serves what. Look-ups answer for what does not exist too, and echo its id. */
export function clusterRpcs(
  handlers: Handlers,
  cluster: Cluster,
  sql: SqlService,
): ClusterRpcs & {
  readonly describeCluster: handleUnaryCall<Empty, Buffer>;
} {
  const nodeFor = (resource: string) => toWire(cluster.memberFor(resource));
  return {
    echo: handlers.unary((request) => request),

    describeCluster: handlers.unary((_: Empty, call: ServerUnaryCall<Empty, Buffer>) => {
      const { members, upTimeSeconds } = cluster.view();
      const serverNodes = members.map(toWire);
      const description = {
        protocolVersion,
        serverNodes,
        serverNodesStatus: serverNodes.map((node) => ({ node, state: NodeState.Running })),
        clusterUpTime: BigInt(upTimeSeconds),
      };
      return encodeDescription(description, knowsOldDescription(userAgentOf(call)));
    }),

    lookupShard: handlers.unary(({ shardId }) => ({ shardId, serverNode: nodeFor(`shard/${shardId}`) })),

    lookupSubscription: handlers.unary(({ subscriptionId }) => ({
      subscriptionId,
      serverNode: nodeFor(`subscription/${subscriptionId}`),
    })),

    lookupShardReader: handlers.unary(({ readerId }) => ({
      readerId,
      serverNode: nodeFor(`reader/${readerId}`),
    })),

    lookupResource: handlers.unary(async ({ resType, resId }) => {
      const reason = resourceIdProblem(resId);
      if (reason !== undefined) throw new HStreamError("InvalidName", { reason });
      // Views alone are looked for, as their callers go on with what they are told.
      if (resType === ResourceType.ResView) {
        const views = await new StatementRunner(sql).rows("SHOW VIEWS;", handlers.closing);
        const exists = views.some((row) => row["View Name"] === resId);
        if (!exists) throw new HStreamError("ViewNotFound", { view: resId });
      }
      return nodeFor(resourceKey(resType, resId));
    }),

    lookupKey: handlers.unary(({ partitionKey }) => nodeFor(`key/${partitionKey}`)),
  };
}

/** Resource types by the names that commands have for them. */
export const resourceTypes: ReadonlyMap<string, ResourceType> = new Map([
  ["stream", ResourceType.ResStream],
  ["subscription", ResourceType.ResSubscription],
  ["shard", ResourceType.ResShard],
  ["shardreader", ResourceType.ResShardReader],
  ["connector", ResourceType.ResConnector],
  ["query", ResourceType.ResQuery],
  ["view", ResourceType.ResView],
]);

/** A resource has one place, by whichever call it is looked up. */
export function resourceKey(type: number, id: string): string {
  switch (type) {
    case ResourceType.ResStream:
      return `stream/${id}`;
    case ResourceType.ResSubscription:
      return `subscription/${id}`;
    case ResourceType.ResShard:
      return `shard/${id}`;
    case ResourceType.ResShardReader:
      return `reader/${id}`;
    case ResourceType.ResConnector:
      return `connector/${id}`;
    case ResourceType.ResQuery:
      return `query/${id}`;
    case ResourceType.ResView:
      return `view/${id}`;
    default:
      throw new HStreamError("InvalidResourceType", { value: type });
  }
}

function toWire(member: Member) {
  return {
    id: member.id,
    host: member.host,
    port: member.port,
    version: { version: member.version, commit: "" },
  };
}
