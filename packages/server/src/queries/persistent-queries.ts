import type { Catalog, Relation } from "@hstream/sql";
import { unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { MetaStore } from "../meta/meta-store.js";
import { nameProblem } from "../streams/names.js";
import type { RelationNames } from "../streams/relation-names.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import { ErrorStream, type QueryErrorEntry } from "./error-stream.js";
import { PersistentQuery } from "./persistent-query.js";
import { QueryCatalogue } from "./query-catalogue.js";
import { newDocument, type NewQuery, relationOf } from "./new-query.js";
import { refuseCycle } from "./query-cycle.js";
import { ownStreamName, type QueryDocument, type QueryState, userOf } from "./query-document.js";
import { QueryHolds } from "./query-holds.js";
import { boundAnew, type LastingStatement, type PlannedQuery, planned } from "./query-planner.js";
import type { QueryProgress } from "./query-progress.js";
import type { QueryTools } from "./query-tools.js";
import type { FollowedView } from "./view-inputs.js";

/** A query that lives on, as others are told of it. */
export interface PersistentQueryInfo {
  readonly document: QueryDocument;
  /** Of a query that has run here. */
  readonly progress: QueryProgress | undefined;
  /** The streams and views that it reads; empty when it cannot be planned any more. */
  readonly sources: readonly string[];
}

/**
 * The queries of this server that live on: creates, pauses, resumes and ends them, and starts those that
 * there were before. What they read and write is retained and held for them (`query-holds.ts`).
 *
 * A creation is: internal stream, holds, document, stream to be written to. What a crash leaves behind
 * before the document is cleared away at the next start, what is missing after it is made then.
 */
export class PersistentQueries {
  readonly #tools: QueryTools;
  readonly #holds: QueryHolds;
  readonly #appender: StreamAppender;
  readonly #names: RelationNames;
  readonly #catalogue: QueryCatalogue;
  readonly #queries = new Map<string, PersistentQuery>();

  private constructor(
    tools: QueryTools,
    appender: StreamAppender,
    names: RelationNames,
    catalogue: QueryCatalogue,
  ) {
    this.#tools = tools;
    this.#holds = new QueryHolds(tools);
    this.#appender = appender;
    this.#names = names;
    this.#catalogue = catalogue;
  }

  /** Opens the catalogue; `start` is called when all that queries may read is there. */
  static async open(
    tools: QueryTools,
    appender: StreamAppender,
    meta: MetaStore,
    names: RelationNames,
  ): Promise<PersistentQueries> {
    return new PersistentQueries(tools, appender, names, await QueryCatalogue.open(meta, names));
  }

  /** Plans the stored queries anew and runs them. One that cannot run stays, aborted, with the reason. */
  async start(relations: Catalog): Promise<void> {
    await this.#holds.clearAway(this.#catalogue.list());
    // Views come before what reads them, so they are planned in as many rounds as it takes.
    let left = this.#catalogue.list().filter(({ state }) => state.kind !== "terminated");
    for (let before = -1; left.length > 0 && left.length !== before; ) {
      before = left.length;
      const unplanned: QueryDocument[] = [];
      for (const document of left) {
        if (!(await this.#revive(document, relations, false))) unplanned.push(document);
      }
      left = unplanned;
    }
    for (const document of left) await this.#revive(document, relations, true);
    for (const query of this.#queries.values()) query.start();
  }

  /** The query that keeps a view. */
  view(name: string): PersistentQuery | undefined {
    return this.#queries.get(this.#catalogue.ofView(name)?.name ?? "");
  }

  /** A query, or the one that keeps a view, by its id. */
  byId(id: string): PersistentQuery | undefined {
    for (const query of this.#queries.values()) if (query.document.id === id) return query;
    return undefined;
  }

  /** A query, whatever its state. */
  document(name: string): QueryDocument | undefined {
    return this.#catalogue.find(name);
  }

  /** The errors of a query, oldest first; also of one that has ended. */
  async errorsOf(queryId: string): Promise<readonly QueryErrorEntry[]> {
    const running = this.byId(queryId);
    if (running !== undefined) return await running.errors.list();
    const [, shardId] = this.#tools.streams.find(ownStreamName(queryId))?.shardIds ?? [];
    return shardId === undefined ? [] : await new ErrorStream(this.#tools.log, shardId).list();
  }

  find(name: string): PersistentQuery | undefined {
    return this.#queries.get(name);
  }

  /** The view as statements see it; also of one that does not run. */
  relation(view: string): Relation | undefined {
    return this.view(view)?.relation;
  }

  list(): PersistentQueryInfo[] {
    return this.#catalogue.list().map((document) => {
      const query = this.#queries.get(document.name);
      const sources = query?.planned.query.sources.map(({ name }) => name) ?? [];
      return { document, progress: query?.progress, sources };
    });
  }

  /** The queries that read a stream or a view, or append to it. */
  usersOf(relationId: string): string[] {
    return [...this.#queries.values()].filter((query) => query.uses(relationId)).map(({ name }) => name);
  }

  /**
   * Makes a query and starts it. Rejects with QueryExists, ViewExists, StreamExists, InvalidName,
   * StreamNotFound, InvalidSql; ViewInUse when it would replace what another query uses.
   */
  async create(query: NewQuery): Promise<QueryDocument> {
    const { statement, name } = query;
    const relation = relationOf(statement);
    const id = Buffer.from(this.#tools.env.random.bytes(8)).toString("hex");
    const queryName =
      name ?? (statement.kind === "insert-select" ? `into_${relation}_${id.slice(0, 6)}` : relation);
    for (const given of [queryName, relation]) {
      const reason = nameProblem(given);
      if (reason !== undefined) throw new HStreamError("InvalidName", { reason });
    }
    if (name !== undefined && this.#catalogue.find(name) !== undefined) {
      throw new HStreamError("QueryExists", { query: name });
    }
    const replaced = this.#replaced(statement, relation);
    // What has a new name nobody reads.
    if (statement.kind === "insert-select" || replaced !== undefined) this.#refuseCycle(statement);
    const release =
      statement.kind === "insert-select" || replaced !== undefined
        ? () => {}
        : this.#reserve(statement.kind, relation);
    try {
      // A name that is taken is told first: it says more.
      this.#refuseCycle(statement);
      if (replaced === undefined && this.#catalogue.find(queryName) !== undefined) {
        throw new HStreamError("QueryExists", { query: queryName });
      }
      const plan = planned(statement);
      const base = newDocument(query, plan, {
        id,
        name: replaced?.name ?? queryName,
        creationTimeMs: this.#tools.env.clock.now(),
      });
      return await this.#make(base, plan, replaced, release);
    } finally {
      release();
    }
  }

  /** Stops a query, whose state is kept. Rejects with QueryNotFound, QueryNotRunning. */
  async pause(name: string): Promise<void> {
    const query = this.#get(name);
    const { state } = query.document;
    if (state.kind !== "running")
      throw new HStreamError("QueryNotRunning", { query: name, state: state.kind });
    await this.#setState(query, { kind: "paused" });
    await query.stop(true);
  }

  /** Starts a query that was paused or aborted. Rejects with QueryNotFound, QueryNotAborted, QueryAlreadyTerminated. */
  async resume(name: string, relations: Catalog): Promise<void> {
    const document = this.#catalogue.find(name);
    if (document === undefined) throw new HStreamError("QueryNotFound", { query: name });
    const { state } = document;
    switch (state.kind) {
      case "running":
        throw new HStreamError("QueryNotAborted", { query: name });
      case "terminated":
        throw new HStreamError("QueryAlreadyTerminated", { query: name });
      case "paused":
      case "aborted":
        break;
      default:
        return unreachable(state);
    }
    if (!this.#queries.has(name)) {
      const statement = boundAnew(document, relations);
      await this.#enter(document, planned(statement));
    }
    const query = this.#get(name);
    await query.stop(true);
    // It gets its chances again, apart from the others.
    const crashes = Math.min(document.crashes ?? 0, 1);
    await this.#change(query, { state: { kind: "running" }, crashes });
    query.start();
  }

  /**
   * Ends a query for good; it stays in the list. Rejects with QueryNotFound, QueryNotRunning, QueryHasView.
   */
  async terminate(name: string): Promise<void> {
    const document = this.#catalogue.find(name);
    if (document === undefined) throw new HStreamError("QueryNotFound", { query: name });
    if (document.kind === "view") throw new HStreamError("QueryHasView", { query: name });
    if (document.state.kind === "terminated") {
      throw new HStreamError("QueryNotRunning", { query: name, state: "terminated" });
    }
    await this.#catalogue.change(document, { state: { kind: "terminated" } });
    const query = this.#queries.get(name);
    query?.become({ ...document, state: { kind: "terminated" } });
    await query?.stop(false);
    await this.#holds.release(document);
  }

  /** Ends all queries but those that keep views; their names. */
  async terminateAll(): Promise<string[]> {
    const live = this.#catalogue
      .list()
      .filter(({ kind, state }) => kind !== "view" && state.kind !== "terminated");
    for (const { name } of live) await this.terminate(name);
    return live.map(({ name }) => name);
  }

  /** Forgets a query that has ended. Rejects with QueryNotFound, QueryNotTerminated, QueryHasView. */
  async dropQuery(name: string): Promise<void> {
    const document = this.#catalogue.find(name);
    if (document === undefined) throw new HStreamError("QueryNotFound", { query: name });
    if (document.kind === "view") throw new HStreamError("QueryHasView", { query: name });
    if (document.state.kind === "running" || document.state.kind === "paused") {
      throw new HStreamError("QueryNotTerminated", { query: name });
    }
    await this.#drop(document);
  }

  /** Rejects with ViewNotFound, ViewInUse. */
  async dropView(name: string): Promise<void> {
    const document = this.#catalogue.ofView(name);
    if (document === undefined) throw new HStreamError("ViewNotFound", { view: name });
    const [by] = this.usersOf(document.id);
    if (by !== undefined) throw new HStreamError("ViewInUse", { relation: name, by });
    await this.#drop(document);
  }

  /** Stops all, those that read views before the views; what they have come to is stored. */
  async close(): Promise<void> {
    await Promise.all([...this.#queries.values()].map((query) => query.stop(true)));
    this.#catalogue.close();
  }

  #get(name: string): PersistentQuery {
    const query = this.#queries.get(name);
    if (query === undefined) throw new HStreamError("QueryNotFound", { query: name });
    return query;
  }

  async #setState(query: PersistentQuery, state: QueryState): Promise<void> {
    await this.#change(query, { state });
  }

  async #change(
    query: PersistentQuery,
    change: Pick<QueryDocument, "crashes"> | { state: QueryState },
  ): Promise<void> {
    const changed = await this.#catalogue.change(query.document, change);
    if (changed === undefined) throw new HStreamError("QueryNotFound", { query: query.name });
    query.become(changed);
  }

  /** What OR REPLACE takes the place of: a view, or the query of a stream (the stream stays, with its records). */
  #replaced(statement: LastingStatement, relation: string): QueryDocument | undefined {
    if (statement.kind === "insert-select" || !statement.orReplace) return undefined;
    if (statement.kind === "create-view") {
      const document = this.#catalogue.ofView(relation);
      const [by] = document === undefined ? [] : this.usersOf(document.id);
      if (by !== undefined) throw new HStreamError("ViewInUse", { relation, by });
      return document;
    }
    return this.#catalogue.list().find((other) => other.kind === "stream" && other.relation === relation);
  }

  #refuseCycle(statement: LastingStatement): void {
    const alive = this.list().filter(({ document }) => document.state.kind !== "terminated");
    refuseCycle(
      { relation: relationOf(statement), sources: statement.query.sources.map(({ name }) => name) },
      alive.map(({ document, sources }) => ({ relation: document.relation, sources })),
    );
  }

  #reserve(kind: "create-view" | "create-stream-as", relation: string): () => void {
    const release = this.#names.reserve(relation);
    if (release !== undefined) return release;
    throw kind === "create-view"
      ? new HStreamError("ViewExists", { view: relation })
      : new HStreamError("StreamExists", { stream: relation });
  }

  async #make(
    base: QueryDocument,
    plan: PlannedQuery,
    replaced: QueryDocument | undefined,
    releaseName: () => void,
  ): Promise<QueryDocument> {
    const { streams } = this.#tools;
    await streams.create({ name: ownStreamName(base.id), kind: "internal", shardCount: 2 });
    let document = base;
    try {
      const start = await this.#holds.hold(base, plan.query);
      document = { ...base, start: [...start] };
      await this.#catalogue.add(document, replaced);
    } catch (error) {
      await this.#holds.release(base);
      await streams.delete(ownStreamName(base.id), { force: true, ignoreMissing: true });
      throw error;
    }
    if (replaced !== undefined) await this.#end(replaced, this.#queries.get(replaced.name));
    releaseName();
    await this.#enter(document, plan);
    this.#get(document.name).start();
    return document;
  }

  /** Puts a query among those that there are; makes the stream that it writes to if it is not there yet. */
  async #enter(document: QueryDocument, plan: PlannedQuery): Promise<void> {
    const { streams } = this.#tools;
    const { kind, relation, stream: options } = document;
    const user = userOf(document);
    if (options !== undefined && streams.find(relation) === undefined) {
      await streams.create({ name: relation, ...options });
    }
    const stream = kind === "view" ? undefined : streams.retain(relation, user);
    if (kind !== "view" && stream === undefined)
      throw new HStreamError("StreamNotFound", { stream: relation });
    const views = new Map<string, FollowedView>();
    for (const source of plan.query.sources) {
      if (source.kind === "stream") streams.retainId(source.id, user);
      if (source.kind !== "view") continue;
      const view = this.byId(source.id);
      if (view === undefined) throw new HStreamError("ViewNotFound", { view: source.name });
      views.set(source.id, view);
    }
    const query: PersistentQuery = new PersistentQuery(
      {
        tools: this.#tools,
        appender: this.#appender,
        views,
        stream,
        own: streams.get(ownStreamName(document.id)),
        setState: async (state) => {
          await this.#setState(query, state);
          if (state.kind === "terminated") await this.#holds.release(document);
        },
        setCrashes: (crashes) => this.#change(query, { crashes }),
      },
      document,
      plan,
    );
    this.#queries.set(document.name, query);
  }

  /** False when it cannot be planned, and `last` is not set: another round may help. */
  async #revive(document: QueryDocument, relations: Catalog, last: boolean): Promise<boolean> {
    try {
      await this.#enter(document, planned(boundAnew(document, relations)));
      return true;
    } catch (error) {
      if (!last) return false;
      const reason = error instanceof Error ? error.message : String(error);
      if (document.state.kind === "running")
        await this.#catalogue.change(document, { state: { kind: "aborted", reason } });
      return true;
    }
  }

  async #drop(document: QueryDocument): Promise<void> {
    await this.#catalogue.remove(document);
    const query = this.#queries.get(document.name);
    this.#queries.delete(document.name);
    await this.#end(document, query);
  }

  /** After its document is gone, or another's. */
  async #end(document: QueryDocument, query: PersistentQuery | undefined): Promise<void> {
    query?.become({ ...document, state: { kind: "terminated" } });
    await query?.stop(false);
    this.#tools.metrics?.queries.forget(document.id);
    await this.#holds.release(document);
    await this.#tools.streams.delete(ownStreamName(document.id), { force: true, ignoreMissing: true });
  }
}
