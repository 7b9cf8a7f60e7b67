import { type Query, TaskStatusPB } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { ConnectorCatalogue } from "../connectors/connector-catalogue.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";
import { type AdminArguments, valueOf, valuesOf } from "./admin-arguments.js";
import { type AdminAnswer, plain, table, timeText } from "./admin-answer.js";
import type { QueryDirectory } from "./query-directory.js";

export interface MetaRooms {
  readonly subscriptions: SubscriptionService;
  readonly connectors: ConnectorCatalogue;
  readonly directory: QueryDirectory;
  readonly nodeId: number;
}

/** What is kept of one category: the columns, and a row for each entry. */
interface Listing {
  readonly headers: string[];
  readonly rows: string[][];
}

/** `server meta VERB -r CATEGORY -i ID` */
export async function metaAnswer(
  verb: string,
  given: AdminArguments,
  rooms: MetaRooms,
  signal: AbortSignal,
): Promise<AdminAnswer | undefined> {
  const category = valuesOf(given, ["-r", "--resource"]).at(-1) ?? given.values[0] ?? "";
  switch (verb) {
    case "list": {
      const { headers, rows } = await listing(category, rooms, signal);
      return table(headers, rows);
    }
    case "get": {
      const { headers, rows } = await listing(category, rooms, signal);
      const id = idOf(given);
      const found = rows.filter(([first]) => first === id);
      return found.length === 0 ? plain("Not Found") : table(headers, found);
    }
    case "get-task": {
      const { rows } = await listing(category, rooms, signal);
      const id = idOf(given);
      if (!rows.some(([first]) => first === id)) return plain("Not Found");
      return table(["Resource ID", "Node ID"], [[id, String(rooms.nodeId)]]);
    }
    case "info":
      return table(["Meta Type", "Connection Info"], [["embedded", "the log of this node"]]);
    case "clean-connectors":
      // Nothing is left behind by connectors that were deleted.
      return plain("OK");
    default:
      return undefined;
  }
}

function idOf(given: AdminArguments): string {
  return valuesOf(given, ["-i", "--id"]).at(-1) ?? given.values[1] ?? valueOf(given, []);
}

async function listing(category: string, rooms: MetaRooms, signal: AbortSignal): Promise<Listing> {
  const { subscriptions, connectors, directory } = rooms;
  switch (category) {
    case "subscription":
      return {
        headers: ["Subscription ID", "Stream Name", "CreatedTime"],
        rows: subscriptions.list().map((each) => [each.id, each.streamName, timeText(each.creationTimeMs)]),
      };
    case "query-info":
      return {
        headers: ["Query ID", "CreatedTime", "SQL"],
        rows: (await directory.queries(signal)).map(({ id, createdTime, queryText }) => [
          id,
          timeText(Number(createdTime)),
          queryText,
        ]),
      };
    case "query-status":
      return {
        headers: ["Query ID", "Status"],
        rows: (await directory.queries(signal)).map((query) => [query.id, statusText(query)]),
      };
    case "view-info":
      return {
        headers: ["View ID", "Status", "CreatedTime", "SQL"],
        rows: (await directory.views(signal)).map((view) => [
          view.viewId,
          statusText(view),
          timeText(Number(view.createdTime)),
          view.sql,
        ]),
      };
    case "qv-relation":
      return {
        headers: ["Query ID", "View ID"],
        rows: (await directory.views(signal)).map(({ queryName, viewId }) => [queryName, viewId]),
      };
    case "connector":
    case "connectors":
    case "connector-info":
      return {
        headers: ["Connector Name", "Type", "Target", "Status", "CreatedTime"],
        rows: connectors
          .list()
          .map((each) => [each.name, each.direction, each.target, each.state, timeText(each.creationTimeMs)]),
      };
    default: {
      const known = "subscription, query-info, query-status, view-info, qv-relation, connectors";
      throw new HStreamError("InvalidCommand", {
        reason: `${JSON.stringify(category.slice(0, 100))} is none of ${known}.`,
      });
    }
  }
}

const statusNames: { readonly [status: number]: string } = {
  [TaskStatusPB.TASK_CREATING]: "CREATING",
  [TaskStatusPB.TASK_RUNNING]: "RUNNING",
  [TaskStatusPB.TASK_ABORTED]: "ABORTED",
  [TaskStatusPB.TASK_PAUSED]: "PAUSED",
  [TaskStatusPB.TASK_RESUMING]: "RESUMING",
  [TaskStatusPB.TASK_TERMINATED]: "TERMINATED",
};

export function statusText({ status }: Pick<Query, "status">): string {
  return statusNames[status] ?? "UNKNOWN";
}
