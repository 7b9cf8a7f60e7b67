import type { ShardPlace } from "@hstream/client";
import { exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";

const idPart = String.raw`\d{1,20}`;
const recordId = new RegExp(`^${idPart}-${idPart}-${idPart}$`);

/** A place in a stream as flags name it: earliest, latest, ms since 1970, an ISO time, a record id. */
export function parsePlace(text: string, flag: string): ShardPlace {
  if (text === "earliest" || text === "latest") return text;
  if (/^\d{1,15}$/.test(text)) return { time: Number(text) };
  // Before ids: a date looks like one, but no shard has a number of four digits.
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return { time };
  if (recordId.test(text)) return { id: text };
  throw new CommandError({
    exitCode: exitCodes.usage,
    message: `${flag} cannot be "${text}".`,
    hint: "earliest, latest, milliseconds since 1970, a time like 2026-01-31T12:00:00Z, or the id of a record",
  });
}

/** Refuses an end that lies before the beginning, where that can be seen without asking. */
export function checkOrder(from: ShardPlace | undefined, until: ShardPlace | undefined): void {
  const [first, last] = [timeOf(from), timeOf(until)];
  if (first === undefined || last === undefined || first <= last) return;
  throw new CommandError({ exitCode: exitCodes.usage, message: "--until lies before --from." });
}

function timeOf(place: ShardPlace | undefined): number | undefined {
  if (place === "earliest") return Number.NEGATIVE_INFINITY;
  if (place === "latest") return Number.POSITIVE_INFINITY;
  return typeof place === "object" && "time" in place ? Number(place.time) : undefined;
}
