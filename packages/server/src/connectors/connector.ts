import { z } from "zod";
import type { MetaCodec } from "../meta/table.js";

/** What the metadata store keeps of a connector. */
const document = z.object({
  version: z.literal(1),
  name: z.string(),
  direction: z.enum(["SOURCE", "SINK"]),
  target: z.string(),
  /** JSON of an object, as it was given and altered. It may hold passwords of the other system. */
  config: z.string(),
  creationTimeMs: z.number(),
  /** NEW: waits to be run. STOPPED: was paused, and waits to be resumed. */
  state: z.enum(["NEW", "STOPPED"]),
  /** Never used again, unlike the name. */
  taskId: z.string(),
});

export type ConnectorDocument = Readonly<z.infer<typeof document>>;
export type ConnectorDirection = ConnectorDocument["direction"];

export const connectorCodec: MetaCodec<ConnectorDocument> = { parse: (json) => document.parse(json) };
