import type { System } from "../../system/system.js";
import { burstMs, EnterGate } from "../enter-gate.js";
import { escapeTimeoutMs, type Key, KeyDecoder } from "../keys.js";

/** Reads keys from the terminal, all that come in one piece at once. */
export class KeyInput {
  readonly #system: System;
  readonly #take: (keys: readonly Key[]) => void;
  readonly #decoder = new KeyDecoder();
  readonly #gate = new EnterGate();
  #cancelEscape: (() => void) | undefined;
  #cancelEnter: (() => void) | undefined;

  constructor(system: System, take: (keys: readonly Key[]) => void) {
    this.#system = system;
    this.#take = take;
    system.stdin.setEncoding("utf8");
  }

  start(): void {
    const { stdin } = this.#system;
    stdin.on("data", this.#onData);
    stdin.resume();
  }

  /** Leaves the terminal's input to others. */
  stop(): void {
    const { stdin } = this.#system;
    this.#cancelEscape?.();
    this.#cancelEnter?.();
    stdin.off("data", this.#onData);
    stdin.pause();
  }

  readonly #onData = (chunk: string) => {
    this.#cancelEscape?.();
    this.#cancelEscape = undefined;
    this.#pass(this.#decoder.feed(chunk));
    if (!this.#decoder.waiting) return;
    this.#cancelEscape = this.#system.schedule(escapeTimeoutMs, () => this.#pass(this.#decoder.flush()));
  };

  #pass(keys: readonly Key[]): void {
    this.#cancelEnter?.();
    this.#cancelEnter = undefined;
    this.#take(this.#gate.pass(keys, this.#system.uptime()));
    if (!this.#gate.holds) return;
    this.#cancelEnter = this.#system.schedule(burstMs, () => this.#take(this.#gate.release()));
  }
}
