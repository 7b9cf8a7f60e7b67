import type { HStreamClient, ReadOptions } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import { recordPrinter } from "../output/record-printer.js";
import type { ReadFlags } from "../tree/stream-data-tree.js";
import { type CommandContext, withClient } from "./context.js";
import { checkOrder, parsePlace } from "./place.js";
import { untilStopped } from "./until-stopped.js";
import { WorkProgress } from "./work-progress.js";

/** `hstream stream read`: the records of a stream, of one of its shards, or of a key. */
export function readStream(context: CommandContext, stream: string, flags: ReadFlags): Promise<ExitCode> {
  const options = optionsOf(flags);
  return read(context, flags, async () => ({ stream, options }));
}

/** `hstream stream read-shard`: the records of a shard; without --stream, of whichever has it. */
export function readShard(context: CommandContext, shard: string, flags: ReadFlags): Promise<ExitCode> {
  const shardId = parseShard(shard);
  const options = { ...optionsOf(flags), shardId };
  return read(context, flags, async (client) => ({
    stream: flags.stream ?? (await streamOf(client, shardId)),
    options,
  }));
}

async function read(
  context: CommandContext,
  flags: ReadFlags,
  find: (client: HStreamClient) => Promise<{ readonly stream: string; readonly options: ReadOptions }>,
): Promise<ExitCode> {
  const progress = new WorkProgress(context, flags.progress, true);
  try {
    return await untilStopped(context, flags.timeout, async ({ signal, alive }) => {
      await withClient(context, async (client) => {
        const { stream, options } = await find(client);
        // Without this, a reader of no stream would name no stream.
        await client.streams.get(stream);
        const printer = recordPrinter(context);
        let left = flags.limit ?? flags.total ?? Number.POSITIVE_INFINITY;
        for await (const batch of client.read(stream, { ...options, signal }).batches()) {
          const taken = batch.slice(0, left);
          await printer.print(taken);
          progress.add(taken.length);
          left -= taken.length;
          if (left <= 0) break;
          alive();
        }
        await printer.end();
      });
    });
  } finally {
    progress.end();
  }
}

function optionsOf(flags: ReadFlags): ReadOptions {
  const from = parsePlace(flags.from, "--from");
  const until = flags.until === undefined ? undefined : parsePlace(flags.until, "--until");
  checkOrder(from, until);
  const { shard, key } = flags;
  return {
    from,
    ...(until === undefined ? {} : { until }),
    ...(shard === undefined ? {} : { shardId: parseShard(shard) }),
    ...(key === undefined ? {} : { key }),
  };
}

export function parseShard(text: string): bigint {
  const id = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (id !== undefined && id < 2n ** 64n) return id;
  throw new CommandError({
    exitCode: exitCodes.usage,
    message: `"${text}" is not the id of a shard.`,
    hint: "hstream stream list-shard STREAM shows them.",
  });
}

async function streamOf(client: HStreamClient, shardId: bigint): Promise<string> {
  for (const { name } of await client.streams.list()) {
    const shards = await client.streams.listShards(name);
    if (shards.some((one) => one.shardId === shardId)) return name;
  }
  throw new CommandError({
    exitCode: exitCodes.existence,
    code: "not found",
    message: `No stream has a shard ${shardId}.`,
    hint: "hstream stream list-shard STREAM shows them.",
  });
}
