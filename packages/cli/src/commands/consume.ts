import type { ExitCode } from "../exit-codes.js";
import { recordPrinter } from "../output/record-printer.js";
import type { ConsumeFlags } from "../tree/subscription-data-tree.js";
import { type CommandContext, withClient } from "./context.js";
import { untilStopped } from "./until-stopped.js";

/** `hstream subscription consume`: prints records as they come; what is printed is acknowledged. */
export function consume(context: CommandContext, name: string, flags: ConsumeFlags): Promise<ExitCode> {
  return untilStopped(context, flags.timeout, async ({ signal, alive }) => {
    await withClient(context, async (client) => {
      // Without this a consumer of nothing would wait for ever.
      await client.subscriptions.get(name);
      const consumer = client.consume(name, {
        signal,
        ...(flags.consumer === undefined ? {} : { consumerName: flags.consumer }),
      });
      const printer = recordPrinter(context);
      let left = flags.limit ?? Number.POSITIVE_INFINITY;
      alive();
      for await (const batch of consumer.batches()) {
        const taken = batch.slice(0, left);
        await printer.print(taken);
        if (flags.ack) for (const record of taken) record.ack();
        left -= taken.length;
        if (left <= 0) break;
        alive();
      }
      await printer.end();
    });
  });
}
