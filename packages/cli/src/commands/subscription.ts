import {
  type HStreamClient,
  HStreamClientError,
  type SeekTarget,
  type SubscriptionDescription,
  type SubscriptionInfo,
} from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import type { Cell } from "../output/page.js";
import type { DeleteFlags } from "../tree/stream-tree.js";
import type { CreateSubscriptionFlags, SeekFlags } from "../tree/subscription-tree.js";
import { type CommandContext, isStructured, printList, printObject, report, withClient } from "./context.js";
import { parsePlace } from "./place.js";
import { alreadyThere, unlessCode } from "./stream.js";

const columns = ["id", "stream", "ack_timeout_seconds", "max_unacked_records", "offset", "created_at"];

function cells(subscription: SubscriptionInfo) {
  return [
    subscription.id,
    subscription.stream,
    subscription.ackTimeoutSeconds,
    subscription.maxUnackedRecords,
    subscription.offset,
    subscription.createdAt?.toISOString(),
  ];
}

export function listSubscriptions(context: CommandContext): Promise<ExitCode> {
  return withClient(context, async (client) => {
    await printList(context, columns, (await client.subscriptions.list()).map(cells));
  });
}

export function createSubscription(
  context: CommandContext,
  id: string,
  flags: CreateSubscriptionFlags,
): Promise<ExitCode> {
  return withClient(context, async (client) => {
    if (flags.dryRun === true) {
      const taken = await client.subscriptions.exists(id);
      if (taken && flags.ifNotExists !== true) throw alreadyThere("subscription", id);
      await client.streams.get(flags.stream);
      const sentence = taken ? `Subscription "${id}" exists already.` : `Would create subscription "${id}".`;
      return report(context, sentence, { subscription: id, created: false });
    }
    const { dispatch, maxDeliveries, deadLetterStream } = flags;
    const created = await unlessCode(
      301,
      flags.ifNotExists,
      client.subscriptions.create(id, {
        stream: flags.stream,
        ackTimeoutSeconds: flags.ackTimeout,
        maxUnackedRecords: flags.maxUnackedRecords,
        offset: flags.offset,
        ...(dispatch === undefined ? {} : { dispatch }),
        ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
        ...(deadLetterStream === undefined ? {} : { deadLetterStream }),
      }),
    );
    const sentence = created ? `Created subscription "${id}".` : `Subscription "${id}" exists already.`;
    await report(context, sentence, { subscription: id, created });
  });
}

export function describeSubscription(context: CommandContext, id: string): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const found = await describeAny(client, id);
    const more = { dispatch: found.dispatch, max_deliveries: found.maxDeliveries };
    const names = [...columns, ...Object.keys(more), "dead_letter_stream"];
    const values = [...cells(found), ...Object.values(more), found.deadLetterStream];
    const shards = found.shards.map((one) => ({
      shard_id: String(one.shardId),
      acknowledged_up_to: String(one.ackedBatchId),
      newest: String(one.tailBatchId),
      unacked_records: one.unackedRecords,
      lag_ms: one.lagMs,
    }));
    const consumers = found.consumers.map((one) => ({
      name: one.name,
      uri: one.uri,
      user_agent: one.userAgent,
      unacked_records: one.unackedRecords,
      shard_ids: one.shardIds.map(String),
    }));
    if (isStructured(context.format)) {
      const fields = Object.fromEntries(names.map((name, place) => [name, values[place] ?? null]));
      return printObject(context, { ...fields, shards, consumers });
    }
    await printList(context, names, [values]);
    if (context.format !== "table") return;
    await printRecords(
      context,
      ["shard_id", "acknowledged_up_to", "newest", "unacked_records", "lag_ms"],
      shards,
    );
    await printRecords(context, ["name", "uri", "user_agent", "unacked_records"], consumers);
  });
}

/** All that the server tells; one without our own service tells less. */
async function describeAny(client: HStreamClient, id: string): Promise<SubscriptionDescription> {
  try {
    return await client.subscriptions.describe(id);
  } catch (error) {
    const unimplemented = 12;
    if (!(error instanceof HStreamClientError) || error.grpcStatus !== unimplemented) throw error;
    const { progress, createdAt, ...info } = await client.subscriptions.get(id);
    const consumers = await client.subscriptions.consumers(id);
    return {
      ...info,
      createdAt: createdAt ?? new Date(0),
      dispatch: undefined,
      maxDeliveries: undefined,
      deadLetterStream: undefined,
      shards: progress.map(({ shardId, batchId }) => ({
        shardId,
        ackedBatchId: batchId,
        tailBatchId: 0n,
        unackedRecords: 0,
        lagMs: 0,
      })),
      consumers: consumers.map((one) => ({ ...one, unackedRecords: 0, shardIds: [] })),
    };
  }
}

export function deleteSubscription(
  context: CommandContext,
  id: string,
  flags: DeleteFlags,
): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const dry = flags.dryRun === true;
    const work = dry
      ? client.subscriptions.get(id)
      : client.subscriptions.delete(id, { force: flags.force === true });
    const exists = await unlessCode(300, flags.ifExists, work);
    const done = dry ? `Would delete subscription "${id}".` : `Deleted subscription "${id}".`;
    const sentence = exists ? done : `There is no subscription "${id}".`;
    await report(context, sentence, { subscription: id, deleted: exists && !dry });
  });
}

/** `hstream subscription seek`. */
export function seekSubscription(context: CommandContext, id: string, flags: SeekFlags): Promise<ExitCode> {
  const target = targetOf(flags.to);
  return withClient(context, async (client) => {
    const to = flags.to.join(" ");
    if (flags.dryRun === true) await client.subscriptions.get(id);
    else await client.subscriptions.seek(id, target);
    const moved = flags.dryRun !== true;
    const sentence = moved
      ? `Moved subscription "${id}" to ${to}.`
      : `Would move subscription "${id}" to ${to}.`;
    await report(context, sentence, { subscription: id, to, moved });
  });
}

function targetOf(words: readonly string[]): SeekTarget {
  const places = words.map((word) => parsePlace(word, "--to"));
  const ids = places.flatMap((place) => (typeof place === "object" && "id" in place ? [place.id] : []));
  const [first] = places;
  if (ids.length === places.length) return { ids };
  if (places.length === 1 && first !== undefined && (typeof first === "string" || "time" in first))
    return first;
  throw new CommandError({
    exitCode: exitCodes.usage,
    message: "--to takes one place, or several ids of records.",
  });
}

function printRecords(
  context: CommandContext,
  names: readonly string[],
  records: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  return printList(
    context,
    names,
    records.map((record) => names.map((name) => record[name] as Cell)),
  );
}
