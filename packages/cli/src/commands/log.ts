import { join } from "node:path";
import type * as Server from "@hstream/server";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import { type CommandContext, printList, report } from "./context.js";

/** `hstream log verify`: exit code 1 when something is wrong. */
export async function verifyCommand(context: CommandContext, dataDir: string): Promise<ExitCode> {
  return withLog(dataDir, async ({ verifyLog }, env, directory) => {
    const { segments, batches, bytes, findings } = await verifyLog(env, directory);
    await printList(
      context,
      ["file", "offset", "finding"],
      findings.map(({ path, offset, detail }) => [path, offset, detail]),
    );
    const verdict = findings.length === 0 ? "nothing is wrong" : `${findings.length} findings`;
    await context.system.stderr.write(
      `${segments} segments, ${batches} batches, ${bytes} bytes: ${verdict}\n`,
    );
    return findings.length === 0 ? exitCodes.ok : exitCodes.failed;
  });
}

/** `hstream log dump`: one line of JSON for every frame. */
export async function dumpCommand({ system }: CommandContext, dataDir: string): Promise<ExitCode> {
  return withLog(dataDir, async ({ dumpLog }, env, directory) => {
    for await (const frame of dumpLog(env, directory)) {
      await system.stdout.write(`${JSON.stringify(frame)}\n`);
    }
    return exitCodes.ok;
  });
}

/** `hstream log repair`: saves what can be read of damaged files. */
export async function repairCommand(context: CommandContext, dataDir: string): Promise<ExitCode> {
  return withLog(dataDir, async ({ repairLog }, env, directory) => {
    const repaired = await repairLog(env, directory);
    await printList(
      context,
      ["file", "kept as", "findings"],
      repaired.map(({ path, keptAs, findings }) => [path, keptAs, findings.length]),
    );
    return exitCodes.ok;
  });
}

/** `hstream backup`: copies the data of a server on this machine, running or not. */
export async function backupCommand(
  context: CommandContext,
  dataDir: string,
  target: string,
): Promise<ExitCode> {
  return withLog(dataDir, async ({ backupLog }, env, directory) => {
    const { segments, bytes } = await backupLog(env, directory, join(target, "log"));
    await report(context, `Copied ${segments} segments, ${bytes} bytes, to ${target}.`, {
      target,
      segments,
      bytes,
    });
    return exitCodes.ok;
  });
}

/** `hstream restore`: makes a data directory of a backup, and checks it. */
export async function restoreCommand(
  context: CommandContext,
  backup: string,
  dataDir: string,
): Promise<ExitCode> {
  return withLog(backup, async ({ restoreLog }, env, directory) => {
    const { segments, batches, bytes } = await restoreLog(env, directory, join(dataDir, "log"));
    await report(context, `Restored ${batches} batches, ${bytes} bytes, to ${dataDir}.`, {
      dataDir,
      segments,
      batches,
      bytes,
    });
    return exitCodes.ok;
  });
}

/** The log is a folder of the data directory. */
async function withLog(
  dataDir: string,
  work: (server: typeof Server, env: Server.Env, directory: string) => Promise<ExitCode>,
): Promise<ExitCode> {
  const server = await import("@hstream/server");
  try {
    return await work(server, server.createNodeEnv(), join(dataDir, "log"));
  } catch (error) {
    if (error instanceof server.LogToolError) {
      throw new CommandError({ exitCode: exitCodes.existence, code: error.kind, message: error.message });
    }
    throw error;
  }
}
