import { type Command, Option } from "commander";
import type { DeleteFlags } from "./stream-tree.js";
import { type Context, dryRun, type Finish, group, wholeNumber } from "./tree-parts.js";

export interface CreateSubscriptionFlags {
  readonly stream: string;
  readonly ackTimeout: number;
  readonly maxUnackedRecords: number;
  readonly offset: "earliest" | "latest";
  readonly dispatch?: "round-robin" | "key-ordered";
  readonly maxDeliveries?: number;
  readonly deadLetterStream?: string;
  readonly ifNotExists?: boolean;
  readonly dryRun?: boolean;
}

export interface SeekFlags {
  readonly to: readonly string[];
  readonly dryRun?: boolean;
}

/** `subscription list`, `create`, `describe`, `delete`, `seek`. */
export function addSubscription(program: Command, context: Context, finish: Finish): void {
  const subscription = group(program, "subscription", "subscriptions: shared, remembered reading").alias(
    "sub",
  );
  const load = () => import("../commands/subscription.js");
  subscription
    .command("list")
    .description("all subscriptions")
    .action(() => finish(load().then(({ listSubscriptions }) => listSubscriptions(context()))));
  subscription
    .command("create <name>")
    .description("create a subscription of a stream")
    .requiredOption("--stream <stream>", "the stream")
    .option("--ack-timeout <seconds>", "when an unacknowledged record comes again", wholeNumber(1), 60)
    .option("--max-unacked-records <count>", "records out at a time", wholeNumber(1), 10_000)
    .addOption(
      new Option("--offset <offset>", "where to begin").choices(["earliest", "latest"]).default("latest"),
    )
    .addOption(
      new Option(
        "--dispatch <policy>",
        "who gets what: batches in turn, or a shard for one consumer",
      ).choices(["round-robin", "key-ordered"]),
    )
    .option("--max-deliveries <count>", "then a record goes to the dead-letter stream", wholeNumber(1))
    .option("--dead-letter-stream <stream>", "where records go that nobody acknowledged")
    .option("--if-not-exists", "no error when there is one of that name")
    .addOption(dryRun())
    .action((name: string, options: CreateSubscriptionFlags) =>
      finish(load().then(({ createSubscription }) => createSubscription(context(), name, options))),
    );
  subscription
    .command("describe <name>")
    .description("a subscription, how far it is in each shard, and its consumers")
    .action((name: string) =>
      finish(load().then(({ describeSubscription }) => describeSubscription(context(), name))),
    );
  subscription
    .command("delete <name>")
    .description("delete a subscription")
    .option("-f, --force", "although it has consumers")
    .option("--if-exists", "no error when there is none of that name")
    .addOption(dryRun())
    .action((name: string, options: DeleteFlags) =>
      finish(load().then(({ deleteSubscription }) => deleteSubscription(context(), name, options))),
    );
  subscription
    .command("seek <name>")
    .description("move a subscription, forgetting all acknowledgements; its consumers go on from there")
    .requiredOption("--to <place...>", "earliest, latest, a time, or ids of records, one of each shard")
    .addOption(dryRun())
    .addHelpText(
      "after",
      "\nExamples:\n  hstream subscription seek s1 --to earliest\n  hstream subscription seek s1 --to 2026-01-31T12:00:00Z",
    )
    .action((name: string, options: SeekFlags) =>
      finish(load().then(({ seekSubscription }) => seekSubscription(context(), name, options))),
    );
}
