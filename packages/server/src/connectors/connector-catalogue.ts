import type { Env } from "../env/env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { MetaStore } from "../meta/meta-store.js";
import { MetaTable } from "../meta/table.js";
import { Documents } from "../streams/documents.js";
import { nameProblem } from "../streams/names.js";
import { connectorCodec, type ConnectorDirection, type ConnectorDocument } from "./connector.js";
import { configProblems, connectorSpec, isTarget } from "./connector-targets.js";

export interface ConnectorOptions {
  readonly name: string;
  /** SOURCE or SINK, in any case. */
  readonly type: string;
  /** The other system, in any case. */
  readonly target: string;
  /** JSON of an object; nothing stands for an empty one. */
  readonly config: string;
}

/** The connectors there are. What is kept of them is checked; nothing runs them yet. */
export class ConnectorCatalogue {
  readonly #env: Env;
  readonly #documents: Documents<ConnectorDocument>;

  private constructor(env: Env, documents: Documents<ConnectorDocument>) {
    this.#env = env;
    this.#documents = documents;
  }

  static async open(env: Env, meta: MetaStore): Promise<ConnectorCatalogue> {
    const documents = await Documents.load(new MetaTable(meta, "connectors/", connectorCodec));
    return new ConnectorCatalogue(env, documents);
  }

  /**
   * Rejects with InvalidConnectorName, InvalidConnectorType, ConnectorUnimplemented, InvalidConnectorConfig,
   * ConnectorCheckFailed, ConnectorExists, TooManyConnectors.
   */
  async create({ name, type, target, config }: ConnectorOptions): Promise<ConnectorDocument> {
    const reason = nameProblem(name);
    if (reason !== undefined) throw new HStreamError("InvalidConnectorName", { reason });
    const direction = directionOf(type);
    const known = knownTarget(direction, target);
    const checked = checkedConfig(direction, known, configOf(config));
    if (this.#documents.get(name) !== undefined)
      throw new HStreamError("ConnectorExists", { connector: name });
    const max = limits.connectorsMax;
    if (this.#documents.size >= max) throw new HStreamError("TooManyConnectors", { max });
    const document: ConnectorDocument = {
      version: 1,
      name,
      direction,
      target: known,
      config: checked,
      creationTimeMs: this.#env.clock.now(),
      state: "NEW",
      taskId: Buffer.from(this.#env.random.bytes(8)).toString("hex"),
    };
    const result = await this.#documents.set(name, document, 0);
    if (result.kind === "conflict") throw new HStreamError("ConnectorExists", { connector: name });
    return document;
  }

  /** By name. */
  list(): ConnectorDocument[] {
    return this.#documents.entries().map(([, document]) => document);
  }

  /** Throws ConnectorNotFound. */
  get(name: string): ConnectorDocument {
    const document = this.#documents.get(name);
    if (document === undefined) throw new HStreamError("ConnectorNotFound", { connector: name });
    return document;
  }

  /** Rejects with ConnectorNotFound. */
  async delete(name: string): Promise<void> {
    const document = this.get(name);
    const result = await this.#documents.set(name, undefined, this.#documents.revision(name));
    if (result.kind === "conflict") throw new HStreamError("ConnectorNotFound", { connector: document.name });
  }

  /** Rejects with ConnectorNotFound, InvalidConnectorState when it is paused already. */
  pause(name: string): Promise<ConnectorDocument> {
    return this.#change(name, (document) => {
      if (document.state === "STOPPED") throw stateError(document, "pause");
      return { ...document, state: "STOPPED" };
    });
  }

  /** Rejects with ConnectorNotFound, InvalidConnectorState when it is not paused. */
  resume(name: string): Promise<ConnectorDocument> {
    return this.#change(name, (document) => {
      if (document.state !== "STOPPED") throw stateError(document, "resume");
      return { ...document, state: "NEW" };
    });
  }

  /**
   * Puts the options of `config` in the place of those of the same names. Rejects with ConnectorNotFound,
   * InvalidConnectorConfig, ConnectorCheckFailed.
   */
  alter(name: string, config: string): Promise<ConnectorDocument> {
    const changes = configOf(config);
    return this.#change(name, (document) => {
      const merged = new Map([...configOf(document.config), ...changes]);
      return { ...document, config: checkedConfig(document.direction, document.target, merged) };
    });
  }

  close(): void {
    this.#documents.close();
  }

  async #change(
    name: string,
    change: (document: ConnectorDocument) => ConnectorDocument,
  ): Promise<ConnectorDocument> {
    for (;;) {
      const changed = change(this.get(name));
      const result = await this.#documents.set(name, changed, this.#documents.revision(name));
      if (result.kind === "set") return changed;
    }
  }
}

/** The JSON schema of a connector's options. Throws InvalidConnectorType, ConnectorUnimplemented. */
export function specOf(type: string, target: string): string {
  const direction = directionOf(type);
  return JSON.stringify(connectorSpec(direction, knownTarget(direction, target)));
}

function directionOf(type: string): ConnectorDirection {
  const upper = type.toUpperCase();
  if (upper === "SOURCE" || upper === "SINK") return upper;
  throw new HStreamError("InvalidConnectorType", { type: type.slice(0, 100) });
}

function knownTarget(direction: ConnectorDirection, target: string): string {
  const lower = target.toLowerCase();
  if (isTarget(direction, lower)) return lower;
  throw new HStreamError("ConnectorUnimplemented", { target: target.slice(0, 100) });
}

/** The options of a configuration; a Map, since they may have any names. */
function configOf(config: string): Map<string, unknown> {
  try {
    const parsed: unknown = config === "" ? {} : JSON.parse(config);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return new Map(Object.entries(parsed));
    }
  } catch {
    // Said below.
  }
  throw new HStreamError("InvalidConnectorConfig", {});
}

/** The text that is kept of a configuration. Values are never told, as they may be passwords. */
function checkedConfig(
  direction: ConnectorDirection,
  target: string,
  config: ReadonlyMap<string, unknown>,
): string {
  const problems = configProblems(direction, target, config);
  if (problems !== undefined) {
    const found = Object.entries(problems).map(([option, problem]) => `${option} ${problem}`);
    throw new HStreamError("ConnectorCheckFailed", { reason: found.join(", ") }, problems);
  }
  // Own properties, so that an option may be called __proto__.
  const text = JSON.stringify(Object.fromEntries(config));
  const max = limits.connectorConfigBytesMax;
  if (Buffer.byteLength(text) > max) {
    throw new HStreamError("ConnectorCheckFailed", {
      reason: `it has more than ${max} bytes (connectorConfigBytesMax)`,
    });
  }
  return text;
}

function stateError({ name, state }: ConnectorDocument, what: string): HStreamError {
  return new HStreamError("InvalidConnectorState", { connector: name, state, what });
}
