import { type Connector, HStreamApiService } from "@hstream/proto";
import type { CallSettings, Connection } from "./connection.js";
import type { JsonObject } from "./records/record.js";
import { toDate } from "./time.js";

export type ConnectorType = "source" | "sink";

export interface ConnectorInfo {
  readonly name: string;
  readonly type: string;
  /** What it reads or writes: a database, a queue. */
  readonly target: string;
  readonly status: string;
  /** The text of a JSON object. */
  readonly config: string;
  /** The node that runs it. */
  readonly node: string;
  readonly createdAt: Date | undefined;
}

/** Connectors: create, look at, change, pause, delete. Code 600 and on when there is none of a name. */
export class Connectors {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async create(
    name: string,
    options: { readonly type: ConnectorType; readonly target: string; readonly config?: JsonObject | string },
    settings?: CallSettings,
  ): Promise<ConnectorInfo> {
    const { type, target, config } = options;
    const request = { name, type, target, config: textOf(config ?? {}) };
    return toInfo(await this.#connection.call(HStreamApiService.createConnector, request, settings));
  }

  async list(settings?: CallSettings): Promise<readonly ConnectorInfo[]> {
    const { connectors } = await this.#connection.call(HStreamApiService.listConnectors, {}, settings);
    return connectors.map(toInfo);
  }

  async get(name: string, settings?: CallSettings): Promise<ConnectorInfo> {
    return toInfo(await this.#connection.call(HStreamApiService.getConnector, { name }, settings));
  }

  /** What connectors of a type and target can be told: the text of a JSON schema. */
  async spec(type: ConnectorType, target: string, settings?: CallSettings): Promise<string> {
    const request = { type, target };
    return (await this.#connection.call(HStreamApiService.getConnectorSpec, request, settings)).spec;
  }

  /** Lines of its log: `count` of them from the line `begin` on, which counts from 0. */
  async logs(name: string, begin: number, count: number, settings?: CallSettings): Promise<string> {
    const request = { name, begin, count };
    return (await this.#connection.call(HStreamApiService.getConnectorLogs, request, settings)).logs;
  }

  async pause(name: string, settings?: CallSettings): Promise<void> {
    await this.#connection.call(HStreamApiService.pauseConnector, { name }, settings);
  }

  async resume(name: string, settings?: CallSettings): Promise<void> {
    await this.#connection.call(HStreamApiService.resumeConnector, { name }, settings);
  }

  async alterConfig(name: string, config: JsonObject | string, settings?: CallSettings): Promise<void> {
    const request = { name, config: textOf(config) };
    await this.#connection.call(HStreamApiService.alterConnectorConfig, request, settings);
  }

  async delete(name: string, settings?: CallSettings): Promise<void> {
    await this.#connection.call(HStreamApiService.deleteConnector, { name }, settings);
  }
}

function textOf(config: JsonObject | string): string {
  return typeof config === "string" ? config : JSON.stringify(config);
}

function toInfo({ name, type, target, status, config, node, creationTime }: Connector): ConnectorInfo {
  return { name, type, target, status, config, node, createdAt: toDate(creationTime) };
}
