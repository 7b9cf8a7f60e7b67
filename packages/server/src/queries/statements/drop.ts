import { type BoundStatement } from "@hstream/sql";
import { unreachable } from "@hstream/proto";
import { HStreamError } from "../../errors.js";
import type { StreamCatalogue } from "../../streams/stream-catalogue.js";
import type { QueryRegistry } from "../query-registry.js";
import type { ViewRegistry } from "../view-registry.js";

type Drop = Extract<BoundStatement, { kind: "drop" }>;

export interface Droppable {
  readonly streams: StreamCatalogue;
  readonly views: ViewRegistry;
  readonly queries: QueryRegistry;
}

/** Resolves with a sentence about what was done. A view is dropped with its query. */
export async function drop(from: Droppable, statement: Drop): Promise<string> {
  const { target, name } = statement;
  try {
    await dropOne(from, statement);
  } catch (error) {
    const missing =
      error instanceof HStreamError &&
      (error.kind === "StreamNotFound" || error.kind === "ViewNotFound" || error.kind === "QueryNotFound");
    if (!missing || !statement.ifExists) throw error;
    return `There is no ${target} ${name}.`;
  }
  return `Dropped ${target} ${name}.`;
}

async function dropOne({ streams, views, queries }: Droppable, { target, name }: Drop): Promise<void> {
  switch (target) {
    case "stream": {
      const [by] = views.readersOf(streams.get(name));
      if (by !== undefined) throw new HStreamError("ViewInUse", { relation: name, by });
      await streams.delete(name);
      return;
    }
    case "view":
      return views.drop(name);
    case "query":
      return queries.terminate(name);
    case "connector":
      throw new HStreamError("Unimplemented", { what: "DROP CONNECTOR" });
    default:
      return unreachable(target);
  }
}
