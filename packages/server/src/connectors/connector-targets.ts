import type { JsonValue } from "../errors.js";
import type { ConnectorDirection } from "./connector.js";

type OptionType = "string" | "integer" | "boolean";

interface OptionSpec {
  readonly type: OptionType;
  readonly required: boolean;
  readonly description: string;
}

type Options = { readonly [name: string]: OptionSpec };

const needed = (description: string, type: OptionType = "string"): OptionSpec => ({
  type,
  required: true,
  description,
});
const optional = (description: string, type: OptionType = "string"): OptionSpec => ({
  type,
  required: false,
  description,
});

const stream = { stream: needed("The stream that is read, or written to.") };
const login = {
  user: needed("Who logs in to the other system."),
  password: needed("The password of that user."),
};
const database = {
  host: needed("Where the database is."),
  port: optional("Its port; the usual one of its kind if absent.", "integer"),
  ...login,
  database: needed("The name of the database."),
};
const table = { table: needed("The table that is copied from, or into.") };
const documents = {
  hosts: needed("host:port of the members, with commas."),
  user: optional("Who logs in to the other system."),
  password: optional("The password of that user."),
  database: needed("The name of the database."),
  collection: needed("The collection that is copied from, or into."),
};

const targets: { readonly [direction in ConnectorDirection]: ReadonlyMap<string, Options> } = {
  SOURCE: new Map<string, Options>([
    ["mysql", { ...stream, ...database, ...table }],
    ["postgresql", { ...stream, ...database, ...table }],
    ["sqlserver", { ...stream, ...database, ...table }],
    ["mongodb", { ...stream, ...documents }],
    [
      "generator",
      {
        ...stream,
        batchSize: optional("Records at a time.", "integer"),
        period: optional("Seconds between.", "integer"),
      },
    ],
  ]),
  SINK: new Map<string, Options>([
    ["mysql", { ...stream, ...database, ...table }],
    ["postgresql", { ...stream, ...database, ...table }],
    ["mongodb", { ...stream, ...documents }],
    [
      "elasticsearch",
      {
        ...stream,
        hosts: needed("host:port of the nodes, with commas."),
        index: needed("The index that is written to."),
        scheme: optional("http or https."),
      },
    ],
    [
      "las",
      {
        ...stream,
        accessId: needed("The id of the access key."),
        accessKey: needed("The access key."),
        endpoint: needed("Where the service is."),
        region: needed("The region of the service."),
        ...table,
      },
    ],
    ["blackhole", { ...stream }],
  ]),
};

/** Which systems there are connectors for, in lower case. */
export function isTarget(direction: ConnectorDirection, target: string): boolean {
  return targets[direction].has(target);
}

/** The options of a connector, as a JSON schema; undefined for a target that is not known. */
export function connectorSpec(direction: ConnectorDirection, target: string): JsonValue | undefined {
  const options = targets[direction].get(target);
  if (options === undefined) return undefined;
  const entries = Object.entries(options);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: Object.fromEntries(
      entries.map(([name, { type, description }]) => [name, { type, description }]),
    ),
    required: entries.filter(([, { required }]) => required).map(([name]) => name),
    additionalProperties: true,
  };
}

/** What is wrong with a configuration, by option; undefined when nothing is. */
export function configProblems(
  direction: ConnectorDirection,
  target: string,
  config: ReadonlyMap<string, unknown>,
): { readonly [option: string]: string } | undefined {
  const problems: [string, string][] = [];
  for (const [name, { type, required }] of Object.entries(targets[direction].get(target) ?? {})) {
    const value = config.get(name);
    if (value === undefined) {
      if (required) problems.push([name, "is missing"]);
    } else if (type === "integer" ? !Number.isInteger(value) : typeof value !== type) {
      problems.push([name, `must be of type ${type}`]);
    }
  }
  return problems.length === 0 ? undefined : Object.fromEntries(problems);
}
