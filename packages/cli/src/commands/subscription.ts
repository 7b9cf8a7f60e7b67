import type { SubscriptionInfo } from "@hstream/client";
import type { ExitCode } from "../exit-codes.js";
import type { CreateSubscriptionFlags } from "../program.js";
import { type CommandContext, isStructured, printList, printObject, report, withClient } from "./context.js";
import { unlessCode } from "./stream.js";

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
    const created = await unlessCode(
      301,
      flags.ifNotExists,
      client.subscriptions.create(id, {
        stream: flags.stream,
        ackTimeoutSeconds: flags.ackTimeout,
        maxUnackedRecords: flags.maxUnackedRecords,
        offset: flags.offset,
      }),
    );
    const sentence = created ? `Created subscription "${id}".` : `Subscription "${id}" exists already.`;
    await report(context, sentence, { subscription: id, created });
  });
}

export function describeSubscription(context: CommandContext, id: string): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const found = await client.subscriptions.get(id);
    const consumers = await client.subscriptions.consumers(id);
    if (isStructured(context.format)) {
      const fields = Object.fromEntries(cells(found).map((cell, place) => [columns[place], cell ?? null]));
      const progress = found.progress.map(({ shardId, batchId }) => ({
        shard_id: String(shardId),
        batch_id: String(batchId),
      }));
      await printObject(context, { ...fields, progress, consumers });
      return;
    }
    await printList(context, columns, [cells(found)]);
    if (context.format !== "table") return;
    await printList(
      context,
      ["shard_id", "acknowledged_up_to"],
      found.progress.map(({ shardId, batchId }) => [shardId, batchId]),
    );
    await printList(
      context,
      ["consumer", "uri", "user_agent"],
      consumers.map(({ name, uri, userAgent }) => [name, uri, userAgent]),
    );
  });
}

export function deleteSubscription(
  context: CommandContext,
  id: string,
  flags: { readonly force?: boolean; readonly ifExists?: boolean },
): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const deleted = await unlessCode(
      300,
      flags.ifExists,
      client.subscriptions.delete(id, { force: flags.force === true }),
    );
    const sentence = deleted ? `Deleted subscription "${id}".` : `There is no subscription "${id}".`;
    await report(context, sentence, { subscription: id, deleted });
  });
}
