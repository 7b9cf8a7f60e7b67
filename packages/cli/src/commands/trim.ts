import type { ExitCode } from "../exit-codes.js";
import type { TrimFlags } from "../tree/stream-data-tree.js";
import { confirm } from "./confirm.js";
import { type CommandContext, report, withClient } from "./context.js";
import { parsePlace } from "./place.js";
import { parseShard } from "./read.js";

/** `hstream stream trim`: removes what is stored before a place, for ever. */
export function trimStream(context: CommandContext, stream: string, flags: TrimFlags): Promise<ExitCode> {
  const upTo = parsePlace(flags.to, "--to");
  const shardId = flags.shard === undefined ? undefined : parseShard(flags.shard);
  return withClient(context, async (client) => {
    await client.streams.get(stream);
    const where = shardId === undefined ? `stream "${stream}"` : `shard ${shardId} of stream "${stream}"`;
    const fields = { stream, shard_id: shardId === undefined ? null : String(shardId), to: flags.to };
    if (flags.dryRun === true) {
      return report(context, `Would trim ${where} to ${flags.to}.`, { ...fields, trimmed: false });
    }
    if (flags.yes !== true) await confirm(context, `Trim ${where} to ${flags.to}, for ever?`);
    await client.streams.trim(stream, upTo, shardId === undefined ? {} : { shardId });
    await report(context, `Trimmed ${where} to ${flags.to}.`, { ...fields, trimmed: true });
  });
}
