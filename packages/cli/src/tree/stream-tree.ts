import type { Command } from "commander";
import { type Context, dryRun, type Finish, group, wholeNumber } from "./tree-parts.js";

export interface CreateStreamFlags {
  readonly replicationFactor: number;
  readonly backlogDuration: number;
  readonly shards: number;
  readonly ifNotExists?: boolean;
  readonly dryRun?: boolean;
}

export interface DeleteFlags {
  readonly force?: boolean;
  readonly ifExists?: boolean;
  readonly dryRun?: boolean;
}

/** `stream list`, `create`, `describe`, `delete`. */
export function addStream(program: Command, context: Context, finish: Finish): void {
  const stream = group(program, "stream", "streams, and what they hold");
  const load = () => import("../commands/stream.js");
  stream
    .command("list")
    .description("all streams")
    .action(() => finish(load().then(({ listStreams }) => listStreams(context()))));
  stream
    .command("create <name>")
    .description("create a stream")
    .option("-r, --replication-factor <count>", "copies of each record", wholeNumber(1, 255), 1)
    .option(
      "-b, --backlog-duration <seconds>",
      "how long records are kept; 0 for ever",
      wholeNumber(0),
      604_800,
    )
    .option("-s, --shards <count>", "shards", wholeNumber(1), 1)
    .option("--if-not-exists", "no error when there is one of that name")
    .addOption(dryRun())
    .action((name: string, options: CreateStreamFlags) =>
      finish(load().then(({ createStream }) => createStream(context(), name, options))),
    );
  stream
    .command("describe <name>")
    .description("a stream and its shards")
    .action((name: string) => finish(load().then(({ describeStream }) => describeStream(context(), name))));
  stream
    .command("delete <name>")
    .description("delete a stream and what it holds")
    .option("-f, --force", "although it has subscriptions")
    .option("--if-exists", "no error when there is none of that name")
    .addOption(dryRun())
    .action((name: string, options: DeleteFlags) =>
      finish(load().then(({ deleteStream }) => deleteStream(context(), name, options))),
    );
}
