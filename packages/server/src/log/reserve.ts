import { join } from "node:path";
import { type Disk, DiskError } from "../env/env.js";

/**
 * A file that only takes space. When the disk is full it is given up, so that trims and deletions, which
 * make room but have to be written first, can be; until it is back, nobody else may use the room.
 */
export class Reserve {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #bytes: number;
  #isThere = false;
  #restoring: Promise<void> | undefined;

  constructor(disk: Disk, directory: string, bytes: number) {
    this.#disk = disk;
    this.#path = join(directory, "reserve");
    this.#bytes = bytes;
  }

  /** Whether it was given up and is not back yet. */
  isOut = false;

  /** Makes the file where there is room for it; otherwise, later. */
  async begin(): Promise<void> {
    if (this.#bytes === 0) return;
    if (await this.#disk.exists(this.#path)) {
      const file = await this.#disk.open(this.#path, "read");
      this.#isThere = (await file.size()) === this.#bytes;
      await file.close();
      if (this.#isThere) return;
      await this.#disk.remove(this.#path);
    }
    await this.#fill();
  }

  /** Gives the room to those that make room. False when there is nothing to give. */
  async giveUp(): Promise<boolean> {
    if (!this.#isThere) return false;
    this.#isThere = false;
    this.isOut = true;
    await this.#disk.remove(this.#path);
    return true;
  }

  /** Tries to take the room back. */
  restore(): Promise<void> {
    this.#restoring ??= this.#fill().finally(() => {
      this.#restoring = undefined;
    });
    return this.#restoring;
  }

  /** Resolves when nothing is being done to the file. */
  async settled(): Promise<void> {
    await this.#restoring;
  }

  async #fill(): Promise<void> {
    try {
      const file = await this.#disk.open(this.#path, "create");
      try {
        await file.write([new Uint8Array(this.#bytes)], 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      this.#isThere = true;
      this.isOut = false;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      await this.#disk.remove(this.#path).catch(() => undefined);
    }
  }
}
