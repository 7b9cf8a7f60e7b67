import type { Catalog, CatalogColumn, Relation } from "@hstream/sql";
import type { StreamDocument } from "../streams/stream.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { PersistentQueries } from "./persistent-queries.js";
import { errorsRelation, queryOfErrors } from "./query-errors.js";
import { findSystemTable, systemTables } from "./system-tables/table-list.js";

/**
 * What statements may speak of: the streams, the views and the system tables, as they are at the moment of
 * asking. A stream or view goes before a system table of its name.
 */
export class Relations implements Catalog {
  readonly #streams: StreamCatalogue;
  readonly #queries: PersistentQueries;

  constructor(streams: StreamCatalogue, queries: PersistentQueries) {
    this.#streams = streams;
    this.#queries = queries;
  }

  relation(name: string): Relation | undefined {
    const stream = this.#streams.find(name);
    if (stream !== undefined && stream.kind !== "internal") return relationOf(stream);
    return this.#queries.relation(name) ?? findSystemTable(name)?.relation ?? this.#errorsOf(name);
  }

  #errorsOf(name: string): Relation | undefined {
    const document = this.#queries.document(queryOfErrors(name) ?? "");
    return document === undefined ? undefined : errorsRelation(document);
  }

  relationNames(): readonly string[] {
    const streams = this.#streams.list().map((stream) => stream.name);
    const views = this.#queries
      .list()
      .flatMap(({ document }) => (document.kind === "view" ? document.relation : []));
    return [...streams, ...views, ...systemTables.map(({ name }) => name)];
  }
}

function relationOf(stream: StreamDocument): Relation {
  return {
    kind: "stream",
    id: stream.id,
    name: stream.name,
    columns: (stream.columns ?? []) as unknown as readonly CatalogColumn[],
    open: true,
    appendOnly: stream.kind !== "changes",
    ...(stream.timeColumn === undefined ? {} : { timeColumn: stream.timeColumn }),
    ...(stream.latenessMs === undefined ? {} : { latenessMs: stream.latenessMs }),
  };
}
