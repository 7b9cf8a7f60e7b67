import type { ServerInterceptor } from "@grpc/grpc-js";
import grpc from "@grpc/grpc-js";
import { HStreamError } from "../errors.js";
import { neededRole } from "../queries/needed-role.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";
import { type ReportDefect, statusOf } from "./status.js";
import type { Grant, Role, Tokens } from "./tokens.js";
import { idOf } from "./wire-numbers.js";

const { ServerInterceptingCall, ServerListenerBuilder, ResponderBuilder } = grpc;

/** What each call needs; `any` needs no more than a token. What is not named here needs `admin`. */
const needs: ReadonlyMap<string, Role | "any"> = new Map([
  ...each("any", "Echo DescribeCluster LookupShard LookupSubscription LookupShardReader LookupResource"),
  ...each("any", "LookupKey"),
  ...each("read", "GetStream ListStreams ListStreamsWithPrefix ListShards GetTailRecordId"),
  ...each("read", "CreateShardReader ReadShard ListShardReaders DeleteShardReader ReadShardStream"),
  ...each("read", "ReadStream ReadSingleShardStream ReadStreamByKey"),
  ...each("read", "CreateSubscription GetSubscription ListSubscriptions ListSubscriptionsWithPrefix"),
  ...each("read", "ListConsumers CheckSubscriptionExist DeleteSubscription StreamingFetch"),
  ...each("read", "CreateSubscriptionWith DescribeSubscription NegativeAck SeekSubscription"),
  ...each("read", "GetStats PerStreamTimeSeriesStats PerStreamTimeSeriesStatsAll"),
  ...each("read", "ParseSql ListViews GetView ExecuteViewQuery ListQueries GetQuery"),
  ...each("read", "ExecuteViewQueryWithNamespace"),
  ...each("write", "CreateStream DeleteStream Append AppendStream TrimStream TrimShard TrimShards"),
  // What the text of these two asks for is judged when it has come.
  ...each("read", "ExecuteSql ExecuteQuery"),
  ...each("write", "CreateQuery TerminateQuery DeleteQuery DeleteView"),
  ...each("write", "CreateQueryWithNamespace PauseQuery ResumeQuery"),
]);

function each(role: Role | "any", calls: string): [string, Role | "any"][] {
  return calls.split(" ").map((call) => [call, role]);
}

/** The fields of requests that name streams, subscriptions and readers. */
const nameFields = [
  "streamName",
  "subscriptionId",
  "readerId",
  "name",
  "id",
  "prefix",
  "deadLetterStream",
] as const;

/** The fields of requests that hold SQL of any kind. */
const sqlFields: ReadonlyMap<string, string> = new Map([
  ["ExecuteSql", "sql"],
  ["ExecuteQuery", "stmtText"],
]);

/** Later requests of a stream may leave the names of the first one out; those that they have are looked at. */
const namesOnce = new Set(["StreamingFetch", "ReadStreamByKey", "AppendStream"]);

const ranks = { any: 0, read: 1, write: 2, admin: 3 } as const;

export interface AccessRooms {
  readonly streams: StreamCatalogue;
  readonly subscriptions: SubscriptionService;
}

/**
 * Lets only those calls through that the caller's token allows: first by the call itself, then by what its
 * SQL does and, for a token with a prefix, by the names in the request.
 */
export function accessControl(
  tokens: () => Tokens,
  rooms: () => AccessRooms | undefined,
  report: ReportDefect,
): ServerInterceptor {
  return ({ path }, call) => {
    const method = path.slice(path.lastIndexOf("/") + 1);
    let grant: Grant | undefined;
    let named = false;
    const refuse = (error: HStreamError) => call.sendStatus(statusOf(error, path, report));
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const [authorization] = metadata.get("authorization");
        grant = tokens().grantOf(String(authorization ?? ""));
        if (grant === undefined) refuse(new HStreamError("Unauthenticated", {}));
        else if (ranks[grant.role] < ranks[needs.get(method) ?? "admin"]) {
          const role = `the role ${needs.get(method) ?? "admin"}`;
          refuse(new HStreamError("PermissionDenied", { call: method, needs: role }));
        } else {
          // Nobody below needs to see it, or could write it to a log.
          metadata.remove("authorization");
          next(metadata);
        }
      })
      .withOnReceiveMessage((message: unknown, next) => {
        if (grant === undefined) return;
        const { prefix, role } = grant;
        // Who may write is not kept waiting for the parser.
        if (role === "read" && textRole(method, message) === "write") {
          refuse(new HStreamError("PermissionDenied", { call: method, needs: "the role write" }));
          grant = undefined;
          return;
        }
        const isBound = prefix !== "" && needs.get(method) !== "any";
        // A message may have several requests.
        const requests: readonly unknown[] = Array.isArray(message) ? message : [message];
        const isAllowed = (request: unknown, i: number) =>
          isWithin(request, prefix, rooms(), (named || i > 0) && namesOnce.has(method));
        if (isBound && !requests.every(isAllowed)) {
          const what = `names that begin with ${prefix}`;
          refuse(new HStreamError("PermissionDenied", { call: method, needs: what }));
          grant = undefined;
          return;
        }
        named = true;
        next(message);
      })
      .build();
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder().withStart((next) => next(listener)).build(),
    );
  };
}

function textRole(method: string, message: unknown): Role {
  const field = sqlFields.get(method);
  if (field === undefined || typeof message !== "object" || message === null) return "read";
  const text = (message as { readonly [field: string]: unknown })[field];
  return typeof text === "string" ? neededRole(text) : "write";
}

/**
 * Whether a request names something, which it need not do if it is `named`, and only what has the prefix. A shard
 * stands for its stream.
 */
function isWithin(message: unknown, prefix: string, rooms: AccessRooms | undefined, named: boolean): boolean {
  if (typeof message !== "object" || message === null || rooms === undefined) return false;
  const fields = message as { readonly [field: string]: unknown };
  const names = nameFields.flatMap((field) => {
    const value = fields[field];
    return typeof value === "string" && value !== "" ? [value] : [];
  });
  const { shardId } = fields;
  if (typeof shardId === "bigint" || typeof shardId === "number") {
    const id = idOf(BigInt(shardId));
    const stream = id === undefined ? undefined : rooms.streams.ofShard(id);
    if (stream !== undefined) names.push(stream.name);
  }
  return (named || names.length > 0) && names.every((name) => name.startsWith(prefix));
}
