import { z } from "zod";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { StreamDocument } from "../streams/stream.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";

/** A name in an address; the rooms below say what is wrong with one that is not possible. */
export const nameSchema = z
  .string()
  .min(1)
  .max(4 * limits.nameCharactersMax)
  .meta({ example: "clicks" });

export const nameParams = z.object({ name: nameSchema });

/** Internal streams do not exist for callers. Throws StreamNotFound. */
export function userStream(streams: StreamCatalogue, name: string): StreamDocument {
  const stream = streams.get(name);
  if (stream.kind === "internal") throw new HStreamError("StreamNotFound", { stream: name });
  return stream;
}
