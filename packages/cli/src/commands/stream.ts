import { HStreamClientError, type StreamInfo } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import type { CreateStreamFlags, DeleteFlags } from "../tree/stream-tree.js";
import { type CommandContext, isStructured, printList, printObject, report, withClient } from "./context.js";

const columns = ["name", "shards", "replication_factor", "backlog_seconds", "created_at"];

function cells(stream: StreamInfo) {
  return [
    stream.name,
    stream.shardCount,
    stream.replicationFactor,
    stream.backlogDuration,
    stream.createdAt?.toISOString(),
  ];
}

export function listStreams(context: CommandContext): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const streams = await client.streams.list();
    await printList(context, columns, streams.map(cells));
  });
}

export function createStream(
  context: CommandContext,
  name: string,
  flags: CreateStreamFlags,
): Promise<ExitCode> {
  return withClient(context, async (client) => {
    if (flags.dryRun === true) {
      const taken = await unlessCode(200, true, client.streams.get(name));
      if (taken && flags.ifNotExists !== true) throw alreadyThere("stream", name);
      const sentence = taken ? `Stream "${name}" exists already.` : `Would create stream "${name}".`;
      return report(context, sentence, { stream: name, created: false });
    }
    const created = await unlessCode(
      201,
      flags.ifNotExists,
      client.streams.create(name, {
        replicationFactor: flags.replicationFactor,
        backlogDuration: flags.backlogDuration,
        shardCount: flags.shards,
      }),
    );
    const sentence = created ? `Created stream "${name}".` : `Stream "${name}" exists already.`;
    await report(context, sentence, { stream: name, created });
  });
}

export function describeStream(context: CommandContext, name: string): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const stream = await client.streams.get(name);
    const shards = await client.streams.listShards(name);
    if (isStructured(context.format)) {
      const fields = Object.fromEntries(cells(stream).map((cell, place) => [columns[place], cell ?? null]));
      const listed = shards.map((shard) => ({
        shard_id: String(shard.shardId),
        start: shard.startHashRangeKey,
        end: shard.endHashRangeKey,
      }));
      await printObject(context, { ...fields, shard_list: listed });
      return;
    }
    if (context.format === "table") await printList(context, columns, [cells(stream)]);
    await printList(
      context,
      ["shard_id", "start", "end"],
      shards.map((shard) => [shard.shardId, shard.startHashRangeKey, shard.endHashRangeKey]),
    );
  });
}

export function listShards(context: CommandContext, name: string): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const shards = await client.streams.listShards(name);
    await printList(
      context,
      ["shard_id", "start", "end"],
      shards.map((shard) => [String(shard.shardId), shard.startHashRangeKey, shard.endHashRangeKey]),
    );
  });
}

export function deleteStream(context: CommandContext, name: string, flags: DeleteFlags): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const dry = flags.dryRun === true;
    const work = dry
      ? client.streams.get(name)
      : client.streams.delete(name, { force: flags.force === true });
    const exists = await unlessCode(200, flags.ifExists, work);
    const done = dry ? `Would delete stream "${name}".` : `Deleted stream "${name}".`;
    const sentence = exists ? done : `There is no stream "${name}".`;
    await report(context, sentence, { stream: name, deleted: exists && !dry });
  });
}

/** What a dry run says of a name that is taken. */
export function alreadyThere(noun: string, name: string): CommandError {
  return new CommandError({
    exitCode: exitCodes.existence,
    code: "exists",
    message: `There is a ${noun} "${name}" already.`,
    hint: "--if-not-exists makes that no error.",
  });
}

/** True when the work was done, false when it met the given code and that is allowed. */
export async function unlessCode(
  code: number,
  allowed: boolean | undefined,
  work: Promise<unknown>,
): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (allowed === true && error instanceof HStreamClientError && error.code === code) return false;
    throw error;
  }
}
