import type { BoundStatement, Catalog } from "@hstream/sql";
import { unreachable } from "@hstream/proto";
import type { ConnectorCatalogue } from "../../connectors/connector-catalogue.js";
import { HStreamError } from "../../errors.js";
import type { PersistentQueries } from "../persistent-queries.js";
import type { QueryRegistry } from "../query-registry.js";
import { pauseOrResumeConnector } from "./connectors.js";

type Pause = Extract<BoundStatement, { kind: "pause" | "resume" }>;

export interface Controlled {
  readonly queries: QueryRegistry;
  readonly persistent: PersistentQueries;
  readonly relations: Catalog;
  readonly system: { readonly connectors: ConnectorCatalogue };
}

/** PAUSE and RESUME of queries, views and connectors; resolves with a sentence about what was done. */
export async function pauseOrResume(
  { persistent, relations, system }: Controlled,
  { kind, target, name }: Pause,
): Promise<string> {
  if (target === "connector") return await pauseOrResumeConnector(system.connectors, kind, name);
  const query = queryName(persistent, target, name);
  const what = `${target === "view" ? "View" : "Query"} ${name}`;
  switch (kind) {
    case "pause":
      await persistent.pause(query);
      return `${what} paused.`;
    case "resume":
      await persistent.resume(query, relations);
      return `${what} runs again.`;
    default:
      return unreachable(kind);
  }
}

/** TERMINATE QUERY, of a query that lives on or that somebody reads, and TERMINATE ALL. */
export async function terminate(
  { queries, persistent }: Controlled,
  name: string | undefined,
): Promise<string> {
  if (name !== undefined) {
    if (persistent.document(name) !== undefined) await persistent.terminate(name);
    else await queries.terminate(name);
    return `Query ${name} ended.`;
  }
  const read = queries.list().map(({ id }) => id);
  for (const id of read) await queries.terminate(id);
  const ended = [...(await persistent.terminateAll()), ...read];
  return ended.length === 0 ? "There was no query to end." : `Queries ended: ${ended.join(", ")}.`;
}

function queryName(persistent: PersistentQueries, target: "query" | "view", name: string): string {
  if (target === "query") return name;
  const view = persistent.view(name);
  if (view === undefined) throw new HStreamError("ViewNotFound", { view: name });
  return view.name;
}
