import { type ExitCode, exitCodes } from "../exit-codes.js";
import type { StopSignal } from "../system/system.js";
import type { CommandContext } from "./context.js";

/** What endless work is told and may tell. */
export interface Stopping {
  /** Aborted when the process is asked to end, or nothing has come for too long. */
  readonly signal: AbortSignal;
  /** Something has come: the wait begins anew. */
  readonly alive: () => void;
}

/** Runs work that may have no end, until a signal or until nothing came for `idleSeconds`. */
export async function untilStopped(
  { system }: CommandContext,
  idleSeconds: number | undefined,
  work: (stopping: Stopping) => Promise<void>,
): Promise<ExitCode> {
  const stop = new AbortController();
  let signal: StopSignal | undefined;
  const stopListening = system.onSignal((received) => {
    signal = received;
    stop.abort();
  });
  let cancelTimeout: (() => void) | undefined;
  const alive = () => {
    cancelTimeout?.();
    if (idleSeconds !== undefined) {
      cancelTimeout = system.schedule(idleSeconds * 1_000, () => stop.abort());
    }
  };
  alive();
  try {
    await work({ signal: stop.signal, alive });
  } finally {
    cancelTimeout?.();
    stopListening();
  }
  if (signal === undefined) return exitCodes.ok;
  return signal === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
}
