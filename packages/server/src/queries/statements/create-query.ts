import { HStreamError } from "../../errors.js";
import type { StreamCatalogue } from "../../streams/stream-catalogue.js";
import type { PersistentQueries } from "../persistent-queries.js";
import type { QueryDocument } from "../query-document.js";
import { hasDeletions, type LastingStatement } from "../query-planner.js";

export interface QueryMakers {
  readonly streams: StreamCatalogue;
  readonly persistent: PersistentQueries;
}

/** Makes a view, or a query that appends to a stream; resolves with a sentence about what was done. */
export async function createQuery(
  makers: QueryMakers,
  statement: LastingStatement,
  sql: string,
  name: string | undefined,
): Promise<string> {
  const query = await created(makers, statement, () => makers.persistent.create({ statement, sql, name }));
  switch (statement.kind) {
    case "create-view":
      return `View ${statement.name} ${query === undefined ? "exists already" : "created"}.`;
    case "create-stream-as":
      return query === undefined
        ? `Stream ${statement.name} exists already.`
        : `Stream ${statement.name} created; query ${query.name} appends to it.`;
    case "insert-select": {
      const said = `Query ${query?.name ?? ""} appends to ${query?.relation ?? ""}.`;
      const plan = makers.persistent.find(query?.name ?? "")?.planned.plan;
      const isApplied = makers.streams.find(query?.relation ?? "")?.kind === "changes";
      if (isApplied || plan === undefined || !hasDeletions(plan)) return said;
      return `${said} It takes rows back, which queries leave out there: a stream is made for that WITH (DELETIONS = TRUE).`;
    }
  }
}

/** Undefined: what IF NOT EXISTS asks for is there, made long ago or by somebody else just now. */
async function created(
  { streams, persistent }: QueryMakers,
  statement: LastingStatement,
  create: () => Promise<QueryDocument>,
): Promise<QueryDocument | undefined> {
  if (statement.kind === "insert-select" || !statement.ifNotExists) return create();
  const { name, kind } = statement;
  const isThere = (): boolean =>
    (kind === "create-view" ? persistent.view(name) : streams.find(name)) !== undefined;
  if (isThere()) return undefined;
  try {
    return await create();
  } catch (error) {
    const isTaken = error instanceof HStreamError && /^(View|Stream|Query)Exists$/.test(error.kind);
    if (!isTaken) throw error;
    await streams.settled(name);
    if (!isThere()) throw error;
    return undefined;
  }
}
