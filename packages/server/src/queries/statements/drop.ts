import { type BoundStatement } from "@hstream/sql";
import { unreachable } from "@hstream/proto";
import type { ConnectorCatalogue } from "../../connectors/connector-catalogue.js";
import { HStreamError } from "../../errors.js";
import type { StreamCatalogue } from "../../streams/stream-catalogue.js";
import type { PersistentQueries } from "../persistent-queries.js";
import type { QueryRegistry } from "../query-registry.js";

type Drop = Extract<BoundStatement, { kind: "drop" }>;

export interface Droppable {
  readonly streams: StreamCatalogue;
  readonly persistent: PersistentQueries;
  readonly queries: QueryRegistry;
  readonly system: { readonly connectors: ConnectorCatalogue };
}

/** Resolves with a sentence about what was done. A view is dropped with its query. */
export async function drop(from: Droppable, statement: Drop): Promise<string> {
  const { target, name } = statement;
  try {
    await dropOne(from, statement);
  } catch (error) {
    const missing =
      error instanceof HStreamError &&
      ["StreamNotFound", "ViewNotFound", "QueryNotFound", "ConnectorNotFound"].includes(error.kind);
    if (!missing || !statement.ifExists) throw error;
    return `There is no ${target} ${name}.`;
  }
  return `Dropped ${target} ${name}.`;
}

async function dropOne(
  { streams, persistent, queries, system }: Droppable,
  { target, name }: Drop,
): Promise<void> {
  switch (target) {
    case "stream": {
      const [by] = persistent.usersOf(streams.get(name).id);
      if (by !== undefined) throw new HStreamError("ViewInUse", { relation: name, by });
      await streams.delete(name);
      return;
    }
    case "view":
      return persistent.dropView(name);
    case "query":
      return persistent.document(name) !== undefined ? persistent.dropQuery(name) : queries.terminate(name);
    case "connector":
      return system.connectors.delete(name);
    default:
      return unreachable(target);
  }
}
