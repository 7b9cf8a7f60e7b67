import { type HStreamApiServer, type Query, QueryType } from "@hstream/proto";
import type { ConnectorCatalogue } from "../connectors/connector-catalogue.js";
import { addressText } from "../config/address.js";
import type { Cluster } from "../cluster/cluster.js";
import { HStreamError } from "../errors.js";
import type { SqlService } from "../queries/sql-service.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { SubscriptionInfo, SubscriptionService } from "../subscription/subscription-service.js";
import { resourceKey, resourceTypes } from "./cluster-rpcs.js";
import type { Handlers } from "./handlers.js";
import { adminArguments, hasForce, numberOf, valueOf, valuesOf } from "./admin-arguments.js";
import { type AdminAnswer, done, failure, plain, refusable, table, timeText } from "./admin-answer.js";
import { metaAnswer, statusText } from "./admin-meta.js";
import { statsAnswer } from "./admin-stats.js";
import { QueryDirectory } from "./query-directory.js";
import type { Statistics } from "./statistics.js";

export interface AdminRooms {
  readonly cluster: Cluster;
  readonly streams: StreamCatalogue;
  readonly subscriptions: SubscriptionService;
  readonly connectors: ConnectorCatalogue;
  readonly sql: SqlService;
}

/** SendAdminCommand: the commands of the official tools. */
export function adminRpc(
  handlers: Handlers,
  rooms: AdminRooms,
  statistics: Statistics,
): Pick<HStreamApiServer, "sendAdminCommand"> {
  const nodeId = rooms.cluster.self.id;
  const tools = { ...rooms, statistics, nodeId, directory: new QueryDirectory(rooms.sql, nodeId) };
  return {
    sendAdminCommand: handlers.unary(async ({ command }) => {
      const [first, ...words] = command.trim().split(/\s+/);
      if (first !== "server") throw unknown(command);
      return { result: JSON.stringify(await answer(tools, words, command, handlers.closing)) };
    }),
  };
}

interface AdminTools extends AdminRooms {
  readonly statistics: Statistics;
  readonly directory: QueryDirectory;
  readonly nodeId: number;
}

async function answer(
  tools: AdminTools,
  words: string[],
  command: string,
  signal: AbortSignal,
): Promise<AdminAnswer> {
  const { cluster, streams, subscriptions, connectors, statistics, directory, nodeId } = tools;
  const [subject = "", verb = ""] = words;
  const given = adminArguments(words.slice(2));
  const [name = ""] = given.values;
  const id = valueOf(given, ["-i", "--id"]);
  switch (`${subject} ${subject in single ? "" : verb}`.trim()) {
    case "status":
      return table(
        ["Node ID", "State", "Address"],
        cluster.view().members.map(({ id, host, port }) => [String(id), "Running", addressText(host, port)]),
      );
    case "init":
      return plain("Server successfully received init signal");
    case "ready":
      return plain("Cluster is ready");
    case "reset-stats":
      await statistics.reset(signal);
      return done;
    case "lookup": {
      const type = resourceTypes.get(verb.toLowerCase());
      if (type === undefined || name === "") throw unknown(command);
      const { host, port } = cluster.memberFor(resourceKey(type, name));
      return table(["Resource ID", "Host", "Port"], [[name, host, String(port)]]);
    }
    case "stream list":
      return streamTable(streams.list());
    case "stream describe":
      return await refusable(() => streamTable([streams.get(name)]));
    case "stream create":
      return await refusable(async () => {
        await streams.create({
          name,
          replicationFactor: numberOf(given, ["-r", "--replication-factor"], 1),
          backlogSeconds: numberOf(given, ["-b", "--backlog-duration"], 604_800),
          shardCount: numberOf(given, ["-s", "--shards"], 1),
        });
        return done;
      });
    case "stream delete":
      return await refusable(async () => {
        await streams.delete(name, { force: hasForce(given) });
        return done;
      });
    case "sub list":
      return table(
        ["Subscription ID", "Stream Name", "CreatedTime"],
        subscriptions.list().map((each) => [each.id, each.streamName, timeText(each.creationTimeMs)]),
      );
    case "sub describe":
      return await refusable(() => subscriptionTable(subscriptions.get(name)));
    case "sub create":
      return await refusable(async () => {
        await subscriptions.create({
          id: name,
          streamName: valuesOf(given, ["--stream"]).at(-1) ?? "",
          ackTimeoutSeconds: numberOf(given, ["--ack-timeout"], 60),
          maxUnackedRecords: numberOf(given, ["--max-unacked-records"], 10_000),
          offset: valuesOf(given, ["--offset"]).at(-1)?.toLowerCase() === "earliest" ? "earliest" : "latest",
        });
        return done;
      });
    case "sub delete":
      return await refusable(async () => {
        await subscriptions.delete(name, { force: hasForce(given) });
        return done;
      });
    case "sub deleteall":
      return await refusable(async () => {
        for (const { id } of subscriptions.list()) await subscriptions.delete(id, { force: hasForce(given) });
        return done;
      });
    case "view list":
      return await refusable(async () =>
        table(
          ["View ID", "Status", "CreatedTime"],
          (await directory.views(signal)).map((view) => [
            view.viewId,
            statusText(view),
            timeText(Number(view.createdTime)),
          ]),
        ),
      );
    case "query list":
      return await refusable(async () =>
        table(
          ["Query ID", "Type", "Status", "CreatedTime", "SQL"],
          (await directory.queries(signal)).map((query) => [
            query.id,
            typeText(query),
            statusText(query),
            timeText(Number(query.createdTime)),
            query.queryText,
          ]),
        ),
      );
    case "query status": {
      const found = (await directory.queries(signal)).find((query) => query.id === id);
      if (found === undefined) return failure(`Query "${id}" not found, or already dead`);
      const status = statusText(found);
      return table(["Query ID", "Thread Status", "Consumer Status"], [[id, status, status]]);
    }
    case "query describe":
      return await refusable(async () => {
        const query = await directory.query(id, signal);
        return table(
          ["Query ID", "Type", "Status", "Source ID", "Result ID", "CreatedTime", "Node", "SQL"],
          [
            [
              query.id,
              typeText(query),
              statusText(query),
              query.sources.join(","),
              query.resultName,
              timeText(Number(query.createdTime)),
              String(query.nodeId),
              query.queryText,
            ],
          ],
        );
      });
    case "query resume":
      return await refusable(async () => {
        await directory.resume(id, signal);
        const query = await directory.query(id, signal);
        return table(["Query ID", "Status", "Node"], [[query.id, statusText(query), String(nodeId)]]);
      });
    case "connector list":
      return table(
        ["Connector Name", "Type", "Target", "Task ID", "Status", "CreatedTime"],
        connectors
          .list()
          .map((each) => [
            each.name,
            each.direction,
            each.target,
            each.taskId,
            each.state,
            timeText(each.creationTimeMs),
          ]),
      );
    case "connector resume":
      return await refusable(async () => {
        const each = await connectors.resume(id);
        return table(
          ["Connector Name", "Type", "Target", "Status", "Config"],
          [[each.name, each.direction, each.target, each.state, each.config]],
        );
      });
    case "connector describe":
      return await refusable(() => {
        const each = connectors.get(id);
        return table(
          [
            ...["Connector Name", "Task ID", "Node", "Target", "Status", "Offsets", "Config"],
            ...["Docker Image", "Docker Status"],
          ],
          [[each.name, each.taskId, "", each.target, each.state, "[]", each.config, "", ""]],
        );
      });
    case "connector delete":
      return await refusable(async () => {
        await connectors.delete(id);
        return done;
      });
    case "stats":
      return await statsAnswer(adminArguments(words.slice(1)), statistics, signal);
    default: {
      const meta = subject === "meta" ? await metaAnswer(verb, given, tools, signal) : undefined;
      if (meta === undefined) throw unknown(command);
      return meta;
    }
  }
}

/** Commands of one word. */
const single: { readonly [subject: string]: true } = Object.assign(Object.create(null), {
  status: true,
  init: true,
  ready: true,
  "reset-stats": true,
  lookup: true,
  stats: true,
}) as { readonly [subject: string]: true };

function unknown(command: string): HStreamError {
  const reason = `${JSON.stringify(command.slice(0, 200))} is not an admin command.`;
  return new HStreamError("InvalidCommand", { reason });
}

function streamTable(
  streams: readonly { readonly name: string; readonly replicationFactor: number }[],
): AdminAnswer {
  const rows = streams.map(({ name, replicationFactor }) => [name, String(replicationFactor)]);
  return table(["Stream Name", "Replication Factor"], rows);
}

function subscriptionTable(each: SubscriptionInfo): AdminAnswer {
  return table(
    ["Subscription ID", "Stream Name", "Timeout", "Max Unacked", "CreatedTime", "Sub Offset"],
    [
      [
        each.id,
        each.streamName,
        String(each.ackTimeoutSeconds),
        String(each.maxUnackedRecords),
        timeText(each.creationTimeMs),
        each.offset.toUpperCase(),
      ],
    ],
  );
}

function typeText({ type, resultName }: Query): string {
  if (type === QueryType.CreateViewAs) return "view";
  return resultName === "" ? "push" : "stream";
}
