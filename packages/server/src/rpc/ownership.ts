import type { ServerInterceptor } from "@grpc/grpc-js";
import grpc from "@grpc/grpc-js";
import { ResourceType } from "@hstream/proto";
import type { Cluster } from "../cluster/cluster.js";
import { HStreamError } from "../errors.js";
import { resourceKey } from "./cluster-rpcs.js";
import { type ReportDefect, statusOf } from "./status.js";

const { ServerInterceptingCall, ServerListenerBuilder, ResponderBuilder } = grpc;

/** Which field of a request names what the call is about, and of which type that is. */
interface Subject {
  readonly type: ResourceType;
  readonly field: "subscriptionId" | "id" | "readerId" | "queryName" | "queryId" | "name" | "shardId";
  /**
   * How a caller at the wrong server is refused. Callers of `looks` calls take a failed precondition for
   * that; those of `comes-back` calls look up anew after UNAVAILABLE and are done for by anything else.
   */
  readonly refusal: "looks" | "comes-back";
}

/** The calls that must reach the member that serves their subject; all others any member answers. */
const subjects: ReadonlyMap<string, Subject> = new Map([
  ...each("Append AppendStream", ResourceType.ResShard, "shardId", "comes-back"),
  ...each("StreamingFetch", ResourceType.ResSubscription, "subscriptionId", "comes-back"),
  ...each("GetSubscription", ResourceType.ResSubscription, "id", "looks"),
  ...each("DeleteSubscription ListConsumers", ResourceType.ResSubscription, "subscriptionId", "looks"),
  ...each(
    "DescribeSubscription NegativeAck SeekSubscription",
    ResourceType.ResSubscription,
    "subscriptionId",
    "comes-back",
  ),
  ...each("ReadShard DeleteShardReader", ResourceType.ResShardReader, "readerId", "looks"),
  ...each("CreateQuery CreateQueryWithNamespace", ResourceType.ResQuery, "queryName", "looks"),
  ...each("GetQuery DeleteQuery PauseQuery ResumeQuery", ResourceType.ResQuery, "id", "looks"),
  ...each("TerminateQuery", ResourceType.ResQuery, "queryId", "looks"),
  ...each("CreateConnector DeleteConnector", ResourceType.ResConnector, "name", "looks"),
  ...each("PauseConnector ResumeConnector AlterConnectorConfig", ResourceType.ResConnector, "name", "looks"),
]);

function each(
  calls: string,
  type: ResourceType,
  field: Subject["field"],
  refusal: Subject["refusal"],
): [string, Subject][] {
  return calls.split(" ").map((call) => [call, { type, field, refusal }]);
}

/** Later requests of a fetch may leave the name of the first one out, and are about the same. */
const namesOnce = "StreamingFetch";

/**
 * Refuses calls about what another member serves, in the way after which each client looks it up again: Java
 * and our own after UNAVAILABLE, Go after FAILED_PRECONDITION of an append (after UNAVAILABLE it would try the
 * same server until it gives up).
 */
export function ownershipCheck(cluster: () => Cluster | undefined, report: ReportDefect): ServerInterceptor {
  return ({ path }, call) => {
    const method = path.slice(path.lastIndexOf("/") + 1);
    const subject = subjects.get(method);
    if (subject === undefined) return new ServerInterceptingCall(call);
    let isGo = false;
    let refused = false;
    let named = false;
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        isGo = String(metadata.get("user-agent")[0] ?? "").includes("grpc-go/");
        next(metadata);
      })
      .withOnReceiveMessage((message: unknown, next) => {
        if (refused) return;
        const misplaced =
          named && method === namesOnce ? undefined : firstRefusal(message, subject, isGo, cluster());
        named = true;
        if (misplaced === undefined) return next(message);
        refused = true;
        call.sendStatus(statusOf(misplaced, path, report));
      })
      .build();
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder().withStart((next) => next(listener)).build(),
    );
  };
}

/** A message may have several requests. */
function firstRefusal(
  message: unknown,
  subject: Subject,
  isGo: boolean,
  cluster: Cluster | undefined,
): HStreamError | undefined {
  if (!Array.isArray(message)) return refusalOf(message, subject, isGo, cluster);
  for (const request of message as unknown[]) {
    const refusal = refusalOf(request, subject, isGo, cluster);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function refusalOf(
  message: unknown,
  { type, field, refusal }: Subject,
  isGo: boolean,
  cluster: Cluster | undefined,
): HStreamError | undefined {
  if (cluster === undefined || typeof message !== "object" || message === null) return undefined;
  const id = (message as { readonly [field: string]: unknown })[field];
  // What has no name is refused by whoever is called.
  if ((typeof id !== "string" || id === "") && typeof id !== "bigint" && typeof id !== "number")
    return undefined;
  const resource = resourceKey(type, String(id));
  const { id: owner, host, port } = cluster.memberFor(resource);
  if (owner === cluster.self.id) return undefined;
  const looks = refusal === "looks" || (isGo && type === ResourceType.ResShard);
  return new HStreamError(
    looks ? "WrongServer" : "ServedElsewhere",
    { resource, host, port },
    { host, port },
  );
}
