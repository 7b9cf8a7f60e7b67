import type { HStreamApiServer } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { nameProblem } from "../streams/names.js";
import type { Handlers } from "./handlers.js";

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

/** Connectors: what is asked for is checked; no target is known yet, so that there are none. */
export function connectorRpcs(handlers: Handlers): ConnectorRpcs {
  const absent = ({ name }: { readonly name: string }): never => {
    throw new HStreamError("ConnectorNotFound", { connector: name });
  };
  return {
    createConnector: handlers.unary(({ name, type, target, config }) => {
      const reason = nameProblem(name);
      if (reason !== undefined) throw new HStreamError("InvalidConnectorName", { reason });
      checkType(type);
      if (config !== "") checkConfig(config);
      throw new HStreamError("ConnectorUnimplemented", { target });
    }),
    listConnectors: handlers.unary(() => ({ connectors: [] })),
    getConnector: handlers.unary(absent),
    getConnectorSpec: handlers.unary(({ type, target }) => {
      checkType(type);
      throw new HStreamError("ConnectorUnimplemented", { target });
    }),
    getConnectorLogs: handlers.unary(absent),
    deleteConnector: handlers.unary(absent),
    pauseConnector: handlers.unary(absent),
    resumeConnector: handlers.unary(absent),
    alterConnectorConfig: handlers.unary((request) => {
      checkConfig(request.config);
      return absent(request);
    }),
  };
}

function checkType(type: string): void {
  if (/^(source|sink)$/i.test(type)) return;
  throw new HStreamError("InvalidConnectorType", { type: type.slice(0, 100) });
}

/** The configuration is the text of a JSON object. */
function checkConfig(config: string): void {
  try {
    const parsed: unknown = JSON.parse(config);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return;
  } catch {
    // Said below.
  }
  throw new HStreamError("InvalidConnectorConfig", {});
}
