import type { BufferedProducer } from "@hstream/client";
import { BadInput } from "../append/read-lines.js";
import { type InputFormat, type RecordToAppend, toRecords } from "../append/to-records.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import { type CommandContext, report, withClient } from "./context.js";
import { counted, type ProgressMode, WorkProgress } from "./work-progress.js";

export interface AppendFlags {
  readonly format?: InputFormat;
  readonly separator: string;
  readonly keyField?: string;
  readonly compression: "none" | "gzip";
  readonly progress: ProgressMode;
}

/** How long the server may be out of reach while records are under way, ms. */
const outageMsMax = 20_000;

/** `hstream stream append`: the records of a file, or of standard input. */
export async function appendRecords(
  context: CommandContext,
  stream: string,
  file: string | undefined,
  flags: AppendFlags,
): Promise<ExitCode> {
  const { system } = context;
  const fromStdin = file === undefined || file === "-";
  if (fromStdin && system.stdin.isTTY === true && !context.quiet) {
    await system.stderr.write("Reading records from the terminal, one a line; Ctrl-D ends.\n");
  }
  const format = flags.format ?? formatOf(file);
  const progress = new WorkProgress(context, flags.progress, false);
  const source = fromStdin
    ? (system.stdin as AsyncIterable<Uint8Array>)
    : progress.count(await open(context, file, progress));
  const code = await withClient(context, async (client) => {
    const producer = await client.bufferedProducer(stream, {
      compression: flags.compression,
      recordsMax: 20_000,
      bytesMax: 1_000_000,
      // A batch whose answer was lost is sent again, and must not be there twice.
      idempotent: true,
      outageMsMax,
    });
    const { separator, keyField } = flags;
    try {
      for await (const records of toRecords(source, { format, separator, keyField })) {
        await send(producer, records);
        progress.add(records.length);
      }
      await producer.close();
    } catch (error) {
      progress.end();
      if (!(error instanceof BadInput)) throw error;
      // What came before the bad record is kept, and said to be.
      await producer.close();
      throw new CommandError({
        exitCode: exitCodes.failed,
        code: "input",
        message: `${fromStdin ? "standard input" : file}, ${error.message}`,
        hint: `What stands before it is appended: ${counted(progress.records)}.`,
      });
    }
  });
  progress.end();
  const seconds = Math.max(0.001, progress.seconds);
  const rate = Math.round(progress.records / seconds).toLocaleString("en-US");
  const sentence = `Appended ${counted(progress.records)} (${rate}/s).`;
  await report(context, sentence, { stream, appended: progress.records });
  return code;
}

async function send(producer: BufferedProducer, records: readonly RecordToAppend[]): Promise<void> {
  for (const { record, key, line } of records) {
    try {
      await producer.write(record, { key });
    } catch (error) {
      // What the client refuses by itself is the record's fault.
      if (error instanceof Error && "reason" in error && error.reason === "usage") {
        throw new BadInput(line, error.message);
      }
      throw error;
    }
  }
}

async function open(
  context: CommandContext,
  file: string,
  progress: WorkProgress,
): Promise<AsyncIterable<Uint8Array>> {
  const { files } = context.system;
  try {
    progress.bytesTotal = await files.size(file);
    return files.stream(file);
  } catch (error) {
    throw new CommandError({
      exitCode: exitCodes.failed,
      code: "file",
      message: `Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

function formatOf(file: string | undefined): InputFormat {
  if (file?.endsWith(".csv") === true) return "csv";
  return file?.endsWith(".txt") === true ? "lines" : "auto";
}
