import type { LastingStatement } from "../query-planner.js";
import type { PersistentQueries } from "../persistent-queries.js";
import type { StreamCatalogue } from "../../streams/stream-catalogue.js";

export interface QueryMakers {
  readonly streams: StreamCatalogue;
  readonly persistent: PersistentQueries;
}

/** Makes a view, or a query that appends to a stream; resolves with a sentence about what was done. */
export async function createQuery(
  { streams, persistent }: QueryMakers,
  statement: LastingStatement,
  sql: string,
  name: string | undefined,
): Promise<string> {
  switch (statement.kind) {
    case "create-view":
      if (statement.ifNotExists && persistent.view(statement.name) !== undefined) {
        return `View ${statement.name} exists already.`;
      }
      await persistent.create({ statement, sql, name });
      return `View ${statement.name} created.`;
    case "create-stream-as": {
      if (statement.ifNotExists && streams.find(statement.name) !== undefined) {
        return `Stream ${statement.name} exists already.`;
      }
      const query = await persistent.create({ statement, sql, name });
      return `Stream ${statement.name} created; query ${query.name} appends to it.`;
    }
    case "insert-select": {
      const query = await persistent.create({ statement, sql, name });
      return `Query ${query.name} appends to ${query.relation}.`;
    }
  }
}
