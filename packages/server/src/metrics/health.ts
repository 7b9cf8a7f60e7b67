import { limits } from "../limits.js";

/** Why a server should be sent no appends; undefined: it takes them. */
export type Illness = "the log has failed, restart the server" | "the disk is full";

/**
 * Whether what is appended becomes durable, as far as the last appends tell. A full disk is forgotten
 * some time after the last append that it refused: who sends none because of it would never learn that
 * there is room again.
 */
export class Health {
  #failed = false;
  #fullMs: number | undefined;

  /** The log takes nothing more until a restart. */
  logFailed(): void {
    this.#failed = true;
  }

  diskFull(nowMs: number): void {
    this.#fullMs = nowMs;
  }

  worked(): void {
    this.#fullMs = undefined;
  }

  /** Times are of the monotonic clock, ms. */
  illness(nowMs: number): Illness | undefined {
    if (this.#failed) return "the log has failed, restart the server";
    const isFull = this.#fullMs !== undefined && nowMs - this.#fullMs < limits.diskFullRememberedMs;
    return isFull ? "the disk is full" : undefined;
  }
}
