import type { HStreamApiServer } from "@hstream/proto";
import { addressText } from "../config/address.js";
import type { Cluster } from "../cluster/cluster.js";
import { HStreamError } from "../errors.js";
import type { SqlService } from "../queries/sql-service.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { SubscriptionInfo, SubscriptionService } from "../subscription/subscription-service.js";
import { resourceKey, resourceTypes } from "./cluster-rpcs.js";
import type { Handlers } from "./handlers.js";
import { StatementRunner } from "./statement-runner.js";

export interface AdminRooms {
  readonly cluster: Cluster;
  readonly streams: StreamCatalogue;
  readonly subscriptions: SubscriptionService;
  readonly sql: SqlService;
}

/** What a command answers: text of JSON in one of three forms. */
type Answer =
  | { readonly type: "table"; readonly content: { readonly headers: string[]; readonly rows: string[][] } }
  | { readonly type: "plain"; readonly content: string }
  | { readonly type: "error"; readonly content: string };

const done: Answer = { type: "plain", content: "OK" };

/** SendAdminCommand: the commands of the official tools. */
export function adminRpc(handlers: Handlers, rooms: AdminRooms): Pick<HStreamApiServer, "sendAdminCommand"> {
  return {
    sendAdminCommand: handlers.unary(async ({ command }) => {
      const [first, ...words] = command.trim().split(/\s+/);
      if (first !== "server") throw unknown(command);
      return { result: JSON.stringify(await answer(rooms, words, command, handlers.closing)) };
    }),
  };
}

async function answer(
  { cluster, streams, subscriptions, sql }: AdminRooms,
  words: string[],
  command: string,
  signal: AbortSignal,
): Promise<Answer> {
  const [subject = "", verb = ""] = words;
  const { values, flags } = argumentsOf(words.slice(2));
  const [name = ""] = values;
  const rows = (statement: string) => new StatementRunner(sql).rows(statement, signal);
  switch (`${subject} ${subject in single ? "" : verb}`.trim()) {
    case "status":
      return table(
        ["Node ID", "State", "Address"],
        cluster.view().members.map(({ id, host, port }) => [String(id), "Running", addressText(host, port)]),
      );
    case "init":
      return { type: "plain", content: "Server successfully received init signal" };
    case "ready":
      return { type: "plain", content: "Cluster is ready" };
    case "reset-stats":
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
          replicationFactor: numberOf(flags, ["-r", "--replication-factor"], 1),
          backlogSeconds: numberOf(flags, ["-b", "--backlog-duration"], 604_800),
          shardCount: numberOf(flags, ["-s", "--shards"], 1),
        });
        return done;
      });
    case "stream delete":
      return await refusable(async () => {
        await streams.delete(name, { force: hasForce(flags) });
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
          streamName: flags.get("--stream")?.at(-1) ?? "",
          ackTimeoutSeconds: numberOf(flags, ["--ack-timeout"], 60),
          maxUnackedRecords: numberOf(flags, ["--max-unacked-records"], 10_000),
          offset: flags.get("--offset")?.at(-1)?.toLowerCase() === "earliest" ? "earliest" : "latest",
        });
        return done;
      });
    case "sub delete":
      return await refusable(async () => {
        await subscriptions.delete(name, { force: hasForce(flags) });
        return done;
      });
    case "sub deleteall":
      return await refusable(async () => {
        for (const { id } of subscriptions.list()) await subscriptions.delete(id, { force: hasForce(flags) });
        return done;
      });
    case "view list":
      return await refusable(async () =>
        table(
          ["View ID", "Status", "CreatedTime"],
          (await rows("SHOW VIEWS;")).map((row) => [
            String(row["View Name"]),
            String(row["Status"]),
            String(row["Created Time"]),
          ]),
        ),
      );
    case "query list":
      return await refusable(async () =>
        table(
          ["Query ID", "Type", "Status", "CreatedTime", "SQL"],
          (await rows("SHOW QUERIES;")).map((row) => [
            String(row["Query ID"]),
            "push",
            String(row["Status"]),
            String(row["Created Time"]),
            String(row["SQL Text"]),
          ]),
        ),
      );
    case "connector list":
      return table(["Connector Name", "Type", "Target", "Task ID", "Status", "CreatedTime"], []);
    case "stats":
      return {
        type: "error",
        content: `The statistic ${words.slice(1).join(" ")} is not counted by this server.`,
      };
    default:
      throw unknown(command);
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

/** A refusal of what was asked is an answer too, in this call. */
async function refusable(work: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HStreamError && error.kind !== "Internal") {
      return { type: "error", content: error.message };
    }
    throw error;
  }
}

function unknown(command: string): HStreamError {
  const reason = `${JSON.stringify(command.slice(0, 200))} is not an admin command.`;
  return new HStreamError("InvalidCommand", { reason });
}

interface Arguments {
  readonly values: string[];
  /** The values of each flag; a flag without one has none. */
  readonly flags: Map<string, string[]>;
}

/** `name --flag value -f`: what stands behind a flag is its value, unless it is a flag itself. */
function argumentsOf(words: readonly string[]): Arguments {
  const values: string[] = [];
  const flags = new Map<string, string[]>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (!word.startsWith("-")) values.push(word);
    else {
      const given = flags.get(word) ?? [];
      const next = words[i + 1];
      if (next !== undefined && !next.startsWith("-") && !isForce(word)) {
        given.push(next);
        i += 1;
      }
      flags.set(word, given);
    }
  }
  return { values, flags };
}

function isForce(word: string): boolean {
  return word === "-f" || word === "--force";
}

function hasForce(flags: Arguments["flags"]): boolean {
  return [...flags.keys()].some(isForce);
}

function numberOf(flags: Arguments["flags"], names: readonly string[], fallback: number): number {
  const text = names.map((name) => flags.get(name)?.at(-1)).find((found) => found !== undefined);
  return text === undefined ? fallback : Number(text);
}

function streamTable(
  streams: readonly { readonly name: string; readonly replicationFactor: number }[],
): Answer {
  const rows = streams.map(({ name, replicationFactor }) => [name, String(replicationFactor)]);
  return table(["Stream Name", "Replication Factor"], rows);
}

function subscriptionTable(each: SubscriptionInfo): Answer {
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

function table(headers: string[], rows: string[][]): Answer {
  return { type: "table", content: { headers, rows } };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
