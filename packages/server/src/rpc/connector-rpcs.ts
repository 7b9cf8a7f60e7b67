import { type Connector, type HStreamApiServer } from "@hstream/proto";
import { type ConnectorCatalogue, specOf } from "../connectors/connector-catalogue.js";
import type { ConnectorDocument } from "../connectors/connector.js";
import { HStreamError } from "../errors.js";
import type { Handlers } from "./handlers.js";
import { timestampOf } from "./wire-numbers.js";

type ConnectorRpcs = Pick<
  HStreamApiServer,
  | "createConnector"
  | "listConnectors"
  | "getConnector"
  | "getConnectorSpec"
  | "getConnectorLogs"
  | "deleteConnector"
  | "pauseConnector"
  | "resumeConnector"
  | "alterConnectorConfig"
>;

/** Connectors: they are checked and kept. As nothing runs them yet, their logs are empty. */
export function connectorRpcs(handlers: Handlers, connectors: ConnectorCatalogue): ConnectorRpcs {
  return {
    createConnector: handlers.unary(async ({ name, type, target, config }) =>
      toWire(await connectors.create({ name, type, target, config })),
    ),
    listConnectors: handlers.unary(() => ({ connectors: connectors.list().map(toWire) })),
    getConnector: handlers.unary(({ name }) => toWire(connectors.get(name))),
    getConnectorSpec: handlers.unary(({ type, target }) => ({ spec: specOf(type, target) })),
    getConnectorLogs: handlers.unary(({ name, begin, count }) => {
      connectors.get(name);
      if (begin < 0 || count < 0) {
        const reason = `begin ${begin} and count ${count} must not be below 0`;
        throw new HStreamError("MalformedRequest", { reason });
      }
      return { logs: "" };
    }),
    deleteConnector: handlers.unary(async ({ name }) => {
      await connectors.delete(name);
      return {};
    }),
    pauseConnector: handlers.unary(async ({ name }) => {
      await connectors.pause(name);
      return {};
    }),
    resumeConnector: handlers.unary(async ({ name }) => {
      await connectors.resume(name);
      return {};
    }),
    alterConnectorConfig: handlers.unary(async ({ name, config }) => {
      await connectors.alter(name, config);
      return {};
    }),
  };
}

function toWire({
  name,
  direction,
  target,
  creationTimeMs,
  state,
  config,
  taskId,
}: ConnectorDocument): Connector {
  return {
    name,
    type: direction,
    target,
    creationTime: timestampOf(creationTimeMs),
    status: state,
    config,
    offsets: [],
    taskId,
    node: "",
    dockerStatus: "",
    image: "",
  };
}
