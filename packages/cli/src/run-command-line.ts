import { exitCodes } from "./exit-codes.js";
import { buildProgram, isUsageError } from "./program.js";
import type { System } from "./system/system.js";

/** Runs the command line and answers with the exit code. All failures end here, in words. */
export async function runCommandLine(system: System): Promise<number> {
  if (["--version", "-v"].includes(system.argv[2] ?? "")) {
    await system.stdout.write(`hstream ${await system.version()}\n`);
    return exitCodes.ok;
  }
  const program = buildProgram(system);
  try {
    await program.command.parseAsync([...system.argv]);
    return program.exitCode();
  } catch (error) {
    if (isUsageError(error)) {
      if (error.exitCode === 0) return exitCodes.ok;
      const message = program.complaint();
      const body = {
        error: { code: "usage", message: message.trim().replace(/^error: /, ""), hint: null, position: null },
      };
      await system.stderr.write(program.outputsJson() ? `${JSON.stringify(body)}\n` : message);
      return exitCodes.usage;
    }
    const { failureOf, renderFailure, renderFailureAsJson } = await import("./failure.js");
    const failure = failureOf(error, program.server());
    const asJson = program.outputsJson();
    await system.stderr.write(
      asJson ? renderFailureAsJson(failure) : renderFailure(failure, system.stderr.columns()),
    );
    return failure.exitCode;
  }
}
