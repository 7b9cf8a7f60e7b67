import { z } from "zod";
import type { Env } from "../env/env.js";
import { HStreamError } from "../errors.js";
import type { MetaStore } from "../meta/meta-store.js";
import { MetaTable } from "../meta/table.js";
import { Documents } from "../streams/documents.js";
import { nameProblem } from "../streams/names.js";
import type { RelationNames } from "../streams/relation-names.js";

const document = z.object({
  version: z.literal(1),
  name: z.string(),
  /** Never used again, unlike the name. */
  id: z.string(),
  /** The statement that made it, which is planned anew at every start. */
  sql: z.string(),
  creationTimeMs: z.number(),
});

export type ViewDocument = Readonly<z.infer<typeof document>>;

/** Which views there are. Documents `views/<name>` in the metadata store. */
export class ViewCatalogue {
  readonly #env: Env;
  readonly #names: RelationNames;
  readonly #documents: Documents<ViewDocument>;

  private constructor(env: Env, names: RelationNames, documents: Documents<ViewDocument>) {
    this.#env = env;
    this.#names = names;
    this.#documents = documents;
    names.addHolder((name) => documents.get(name) !== undefined);
  }

  static async open(env: Env, meta: MetaStore, names: RelationNames): Promise<ViewCatalogue> {
    const codec = { parse: (json: unknown) => document.parse(json) };
    return new ViewCatalogue(env, names, await Documents.load(new MetaTable(meta, "views/", codec)));
  }

  find(name: string): ViewDocument | undefined {
    return this.#documents.get(name);
  }

  list(): ViewDocument[] {
    return this.#documents.entries().map(([, view]) => view);
  }

  /**
   * Makes a view durable, after `prepare` has done what it needs before it can be seen. Rejects with
   * ViewExists when the name is taken (by a stream too), InvalidName, or as `prepare` does.
   */
  async create(
    name: string,
    sql: string,
    prepare: (view: ViewDocument) => Promise<void>,
  ): Promise<ViewDocument> {
    const reason = nameProblem(name);
    if (reason !== undefined) throw new HStreamError("InvalidName", { reason });
    const release = this.#names.reserve(name);
    if (release === undefined) throw new HStreamError("ViewExists", { view: name });
    try {
      const id = Buffer.from(this.#env.random.bytes(8)).toString("hex");
      const view: ViewDocument = { version: 1, name, id, sql, creationTimeMs: this.#env.clock.now() };
      await prepare(view);
      const result = await this.#documents.set(name, view, 0);
      if (result.kind === "conflict") throw new HStreamError("ViewExists", { view: name });
      return view;
    } finally {
      release();
    }
  }

  /** Rejects with ViewNotFound; of several callers exactly one succeeds. */
  async delete(name: string): Promise<void> {
    const result = await this.#documents.set(name, undefined, this.#documents.revision(name));
    if (this.find(name) !== undefined || result.kind === "conflict") {
      throw new HStreamError("ViewNotFound", { view: name });
    }
  }

  close(): void {
    this.#documents.close();
  }
}
