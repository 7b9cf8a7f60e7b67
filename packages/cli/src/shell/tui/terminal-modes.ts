import type { System } from "../../system/system.js";

/** Puts the terminal into the modes that typing needs, and back; both can be done twice. */
export class TerminalModes {
  readonly #system: System;
  #entered = false;

  constructor(system: System) {
    this.#system = system;
  }

  enter(): void {
    if (this.#entered) return;
    this.#entered = true;
    this.#system.stdin.setRawMode(true);
    // Bracketed paste: what is pasted arrives marked, and does not run.
    this.#system.stdout.stream.write("\u001b[?2004h");
  }

  leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#system.stdout.stream.write("\u001b[?2004l\u001b[?25h");
    // Throws when the terminal is gone.
    try {
      this.#system.stdin.setRawMode(false);
    } catch {
      return;
    }
  }
}
