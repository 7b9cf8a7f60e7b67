import {
  bindStatement,
  type BoundQuery,
  type BoundStatement,
  type Catalog,
  optimise,
  parseScript,
  toPhysical,
} from "@hstream/sql";
import type { MetaStore } from "../meta/meta-store.js";
import { HStreamError } from "../errors.js";
import type { RelationNames } from "../streams/relation-names.js";
import type { StreamDocument } from "../streams/stream.js";
import type { QueryProgress } from "./query-progress.js";
import type { QueryTools } from "./query-tools.js";
import { RunningView, type ViewStatus } from "./running-view.js";
import { ViewCatalogue, type ViewDocument } from "./view-catalogue.js";

type CreateView = Extract<BoundStatement, { kind: "create-view" }>;

/** A view as SHOW VIEWS tells of it. */
export interface ViewInfo {
  readonly document: ViewDocument;
  readonly status: ViewStatus;
  /** Of a view that was started. */
  readonly progress: QueryProgress | undefined;
}

/**
 * The views of this server: creates and drops them, and starts those that there were before. A view
 * retains the streams it reads and holds their records, since it is computed from the first one on.
 */
export class ViewRegistry {
  readonly #tools: QueryTools;
  readonly #catalogue: ViewCatalogue;
  readonly #running = new Map<string, RunningView>();
  /** Views that could not be started, with the reason. */
  readonly #broken = new Map<string, string>();

  private constructor(tools: QueryTools, catalogue: ViewCatalogue) {
    this.#tools = tools;
    this.#catalogue = catalogue;
  }

  /** Opens the catalogue; `start` is called when all that views may read is there. */
  static async open(tools: QueryTools, meta: MetaStore, names: RelationNames): Promise<ViewRegistry> {
    return new ViewRegistry(tools, await ViewCatalogue.open(tools.env, meta, names));
  }

  /** Plans the stored views anew and runs them. One that cannot run stays, aborted, with the reason. */
  async start(relations: Catalog): Promise<void> {
    await this.#releaseStaleHolds();
    for (const document of this.#catalogue.list()) {
      try {
        const query = queryOf(document, relations);
        for (const source of query.sources) this.#tools.streams.retainId(source.id, user(document));
        this.#run(document, query);
      } catch (error) {
        this.#broken.set(document.name, error instanceof Error ? error.message : String(error));
      }
    }
  }

  find(name: string): RunningView | undefined {
    return this.#running.get(name);
  }

  list(): ViewInfo[] {
    return this.#catalogue.list().map((document) => ({
      document,
      status: this.#statusOf(document.name),
      progress: this.#running.get(document.name)?.progress,
    }));
  }

  /** The views that read a stream, by name. */
  readersOf(stream: StreamDocument): string[] {
    return [...this.#running.values()].filter((view) => view.reads(stream.id)).map((view) => view.name);
  }

  /**
   * Makes a view and starts it; resolves with a sentence about what was done. `sql`: the statement.
   * Rejects with ViewExists, InvalidName, StreamNotFound, and Unimplemented for views over views.
   */
  async createFrom(statement: CreateView, sql: string): Promise<string> {
    const { name, ifNotExists, query } = statement;
    refuseWhatIsNotYet(query);
    if (ifNotExists && this.#catalogue.find(name) !== undefined) return `View ${name} exists already.`;
    let document: ViewDocument;
    try {
      document = await this.#catalogue.create(name, sql, (view) => this.#retain(view, query));
    } catch (error) {
      const exists = error instanceof HStreamError && error.kind === "ViewExists";
      if (!exists || !ifNotExists) throw error;
      // Somebody may just be making it.
      await this.#tools.streams.settled(name);
      if (this.#catalogue.find(name) === undefined) throw error;
      return `View ${name} exists already.`;
    }
    this.#run(document, query);
    return `View ${name} created.`;
  }

  /** Rejects with ViewNotFound. */
  async drop(name: string): Promise<void> {
    const document = this.#catalogue.find(name);
    if (document === undefined) throw new HStreamError("ViewNotFound", { view: name });
    await this.#catalogue.delete(name);
    const view = this.#running.get(name);
    this.#running.delete(name);
    this.#broken.delete(name);
    await view?.close();
    this.#tools.metrics?.queries.forget(document.id);
    await this.#release(document, view?.streams ?? []);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map((view) => view.close()));
    this.#catalogue.close();
  }

  /** A crash between taking holds and writing the document, or the other way round, left them behind. */
  async #releaseStaleHolds(): Promise<void> {
    const { log, streams } = this.#tools;
    const known = new Set(this.#catalogue.list().map(user));
    for (const shardId of streams.list().flatMap((stream) => stream.shardIds)) {
      for (const name of log.describe(shardId).holds.keys()) {
        if (name.startsWith(userPrefix) && !known.has(name)) await log.releaseHold(shardId, name);
      }
    }
  }

  #run(document: ViewDocument, query: BoundQuery): void {
    const plan = toPhysical(optimise(query));
    this.#running.set(document.name, new RunningView(this.#tools, document, query, plan));
  }

  #statusOf(name: string): ViewStatus {
    const reason = this.#broken.get(name);
    return this.#running.get(name)?.status ?? { kind: "aborted", reason: reason ?? "it is being created" };
  }

  /** Before the view can be seen: nothing that it needs may be deleted or trimmed. */
  async #retain(view: ViewDocument, query: BoundQuery): Promise<void> {
    const retained: StreamDocument[] = [];
    try {
      for (const { name } of query.sources) {
        const stream = this.#tools.streams.retain(name, user(view));
        if (stream === undefined) throw new HStreamError("StreamNotFound", { stream: name });
        retained.push(stream);
        await Promise.all(stream.shardIds.map((shardId) => this.#tools.log.hold(shardId, user(view), 1)));
      }
    } catch (error) {
      await this.#release(view, retained);
      throw error;
    }
  }

  async #release(view: ViewDocument, streams: readonly StreamDocument[]): Promise<void> {
    for (const stream of streams) {
      await Promise.all(stream.shardIds.map((shardId) => this.#tools.log.releaseHold(shardId, user(view))));
      await this.#tools.streams.release(stream.id, user(view));
    }
  }
}

function refuseWhatIsNotYet({ sources, output }: BoundQuery): void {
  const other = sources.find((source) => source.kind !== "stream");
  if (other !== undefined) {
    throw new HStreamError("Unimplemented", { what: `A view over "${other.name}", which is no stream,` });
  }
  if (output.some((column) => column.spread)) {
    const message = "A view of SELECT * over a stream without declared columns has no columns of its own";
    const hint = "Name the columns that the view shall have.";
    throw new HStreamError("InvalidSql", { message: `${message}. ${hint}` });
  }
}

/** What a view is called as a user of a stream, and as the name of its holds. */
function user(view: ViewDocument): string {
  return userPrefix + view.id;
}

const userPrefix = "view:";

/** The query of a stored CREATE VIEW. Throws InvalidSql when it cannot be bound any more. */
function queryOf(document: ViewDocument, relations: Catalog): BoundQuery {
  const [statement] = parseScript(document.sql).statements;
  const { bound, diagnostics } =
    statement === undefined ? { bound: undefined, diagnostics: [] } : bindStatement(statement, relations);
  if (bound?.kind === "create-view") return bound.query;
  const message = diagnostics.find(({ severity }) => severity === "error")?.message;
  throw new HStreamError("InvalidSql", { message: message ?? `View "${document.name}" has no query.` });
}
