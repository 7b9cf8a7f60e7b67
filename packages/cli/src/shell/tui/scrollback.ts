import type { System } from "../../system/system.js";

/** Text is held back for so long, so that many small pieces become one write. */
const gatherMs = 16;
const gatherUnitsMax = 65_536;

/** Prints above the live area, in batches, as fast as the terminal takes it. */
export class Scrollback {
  readonly #system: System;
  readonly #write: (text: string) => void;
  #gathered = "";
  #cancelTimer: (() => void) | undefined;

  constructor(system: System, write: (text: string) => void) {
    this.#system = system;
    this.#write = write;
  }

  async write(text: string): Promise<void> {
    this.#gathered += text;
    if (this.#gathered.length < gatherUnitsMax) {
      this.#cancelTimer ??= this.#system.schedule(gatherMs, () => this.flush());
      return;
    }
    this.flush();
    const { stream } = this.#system.stdout;
    if (stream.writableNeedDrain) await new Promise<void>((resolve) => stream.once("drain", () => resolve()));
  }

  /** Prints what was gathered; an unended line is ended, since the live area begins below. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const text = this.#gathered;
    this.#gathered = "";
    if (text !== "") this.#write(text.endsWith("\n") ? text : `${text}\n`);
  }

  discard(): void {
    this.#gathered = "";
  }
}
