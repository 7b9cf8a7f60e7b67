import { startEmbeddedServer } from "../embedded-server.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { keepHeapRoomy } from "../system/roomy-heap.js";
import type { CommandContext } from "./context.js";

export interface ServerFlags {
  readonly dataDir: string | undefined;
  readonly httpPort: string | undefined;
  readonly config: string | undefined;
  /** `name=value` of other settings. */
  readonly settings: readonly string[];
  readonly host: string | undefined;
  readonly port: string | undefined;
}

/** `hstream server start`: runs until SIGINT or SIGTERM, then drains. SIGHUP: reads certificates and tokens again. */
export async function startServerCommand(context: CommandContext, flags: ServerFlags): Promise<ExitCode> {
  const { system } = context;
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  let reload: () => Promise<void> = () => Promise.resolve();
  const stopListening = system.onSignal((signal) => (signal === "SIGHUP" ? void reload() : stop()));
  const leaveHeap = keepHeapRoomy();
  const server = await startEmbeddedServer(system, { ...flags, variables: context.variables });
  reload = () => server.reload();
  const ms = Math.round(system.uptime());
  const sql = server.port === 6570 ? "hstream sql" : `hstream sql --port ${server.port}`;
  await system.stdout.write(`ready in ${ms} ms on ${server.address}, try: ${sql}\n`);
  await stopped;
  await server.close();
  leaveHeap();
  stopListening();
  return exitCodes.ok;
}
