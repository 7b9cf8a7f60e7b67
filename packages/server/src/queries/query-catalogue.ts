import { HStreamError } from "../errors.js";
import type { MetaStore } from "../meta/meta-store.js";
import { MetaTable } from "../meta/table.js";
import { Documents } from "../streams/documents.js";
import type { RelationNames } from "../streams/relation-names.js";
import { queryCodec, type QueryDocument } from "./query-document.js";

/** Which queries live on: documents `queries/<name>` in the metadata store. A view's name is also a relation's. */
export class QueryCatalogue {
  readonly #documents: Documents<QueryDocument>;
  readonly #views: Map<string, string>;

  private constructor(documents: Documents<QueryDocument>, views: Map<string, string>) {
    this.#documents = documents;
    this.#views = views;
  }

  static async open(meta: MetaStore, names: RelationNames): Promise<QueryCatalogue> {
    const views = new Map<string, string>();
    const table = new MetaTable(meta, "queries/", queryCodec);
    const documents = await Documents.load(table, (value, before) => {
      if (before?.kind === "view") views.delete(before.relation);
      if (value?.kind === "view") views.set(value.relation, value.name);
    });
    names.addHolder((name) => views.has(name));
    return new QueryCatalogue(documents, views);
  }

  find(name: string): QueryDocument | undefined {
    return this.#documents.get(name);
  }

  /** The query that keeps a view. */
  ofView(view: string): QueryDocument | undefined {
    return this.find(this.#views.get(view) ?? "");
  }

  /** By name. */
  list(): QueryDocument[] {
    return this.#documents.entries().map(([, query]) => query);
  }

  /** Rejects with QueryExists, unless `replaced` is what has the name at the moment. */
  async add(query: QueryDocument, replaced?: QueryDocument): Promise<void> {
    const present = this.find(query.name);
    if (present?.id !== replaced?.id) throw new HStreamError("QueryExists", { query: query.name });
    const result = await this.#documents.set(query.name, query, this.#documents.revision(query.name));
    if (result.kind === "conflict") throw new HStreamError("QueryExists", { query: query.name });
  }

  /** Does nothing when the query is gone, or another has its name. */
  async change(
    { name, id }: QueryDocument,
    change: Partial<Pick<QueryDocument, "state" | "crashes">>,
  ): Promise<QueryDocument | undefined> {
    const present = this.find(name);
    if (present?.id !== id) return undefined;
    const changed = { ...present, ...change };
    const result = await this.#documents.set(name, changed, this.#documents.revision(name));
    return result.kind === "set" ? changed : undefined;
  }

  /** Rejects with QueryNotFound; of several callers exactly one succeeds. */
  async remove({ name, id }: QueryDocument): Promise<void> {
    if (this.find(name)?.id !== id) throw new HStreamError("QueryNotFound", { query: name });
    const result = await this.#documents.set(name, undefined, this.#documents.revision(name));
    if (result.kind === "conflict" || this.find(name)?.id === id) {
      throw new HStreamError("QueryNotFound", { query: name });
    }
  }

  close(): void {
    this.#documents.close();
  }
}
