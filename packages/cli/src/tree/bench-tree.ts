import type { Command } from "commander";
import { type Context, type Finish, wholeNumber } from "./tree-parts.js";

export interface BenchFlags {
  readonly records: number;
  readonly size: number;
  readonly batch: number;
  readonly shards: number;
  readonly echoes: number;
}

/** `bench`. */
export function addBench(program: Command, context: Context, finish: Finish): void {
  program
    .command("bench")
    .description(
      "measure a server: round trips, appending, reading; on a stream of its own, removed at the end",
    )
    .option("--records <count>", "records to append and to read", wholeNumber(1, 100_000_000), 200_000)
    .option("--size <bytes>", "of a record", wholeNumber(1, 1_000_000), 100)
    .option("--batch <records>", "records in a batch", wholeNumber(1, 20_000), 1_000)
    .option("--shards <count>", "shards of the stream", wholeNumber(1, 1_000), 1)
    .option("--echoes <count>", "round trips", wholeNumber(1, 1_000_000), 500)
    .addHelpText("after", "\nExamples:\n  hstream bench\n  hstream bench --size 1000 --shards 8 -o json")
    .action((options: BenchFlags) =>
      finish(import("../commands/bench.js").then(({ bench }) => bench(context(), options))),
    );
}
