import type { BoundStatement, SqlValue } from "@hstream/sql";
import type { ConnectorCatalogue } from "../../connectors/connector-catalogue.js";
import { HStreamError } from "../../errors.js";
import { type StaticRows, textColumn } from "../static-rows.js";

type CreateConnector = Extract<BoundStatement, { kind: "create-connector" }>;

/** CREATE SOURCE or SINK CONNECTOR; resolves with a sentence about what was done. */
export async function createConnector(
  connectors: ConnectorCatalogue,
  { name, direction, ifNotExists, type, options }: CreateConnector,
): Promise<string> {
  // Own properties, so that an option may be called __proto__.
  const config = JSON.stringify(
    Object.fromEntries([...options].map(([option, value]) => [option, jsonOf(value)])),
  );
  try {
    await connectors.create({ name, type: direction, target: type, config });
  } catch (error) {
    const exists = error instanceof HStreamError && error.kind === "ConnectorExists";
    if (!exists || !ifNotExists) throw error;
    return `There is a connector ${name} already.`;
  }
  return `Created connector ${name}. It is kept, and nothing runs it yet.`;
}

/** PAUSE and RESUME CONNECTOR. */
export async function pauseOrResumeConnector(
  connectors: ConnectorCatalogue,
  kind: "pause" | "resume",
  name: string,
): Promise<string> {
  const { state } = await connectors[kind](name);
  return `Connector ${name} is ${state}.`;
}

/** SHOW CONNECTORS. */
export function showConnectors(connectors: ConnectorCatalogue): StaticRows {
  return {
    columns: ["Name", "Status"].map(textColumn),
    rows: connectors.list().map(({ name, state }) => [name, state]),
  };
}

function jsonOf(value: SqlValue): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
