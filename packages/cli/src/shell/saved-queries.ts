import { join } from "node:path";
import type { System } from "../system/system.js";

/** Statements that the user keeps under a name, one file each. */
export class SavedQueries {
  readonly #system: System;
  readonly #directory: string;
  #names: readonly string[] = [];

  constructor(system: System) {
    const { env } = system;
    const home = env["HOME"] ?? env["USERPROFILE"] ?? ".";
    this.#system = system;
    this.#directory = join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "hstream", "queries");
  }

  /** The names known so far. */
  get names(): readonly string[] {
    return this.#names;
  }

  async load(): Promise<void> {
    try {
      const files = await this.#system.files.list(this.#directory);
      this.#names = files.filter((name) => name.endsWith(".sql")).map((name) => name.slice(0, -4));
    } catch {
      this.#names = [];
    }
  }

  /** Whether a name can be one of a file. */
  static isName(name: string): boolean {
    return /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/.test(name);
  }

  async save(name: string, sql: string): Promise<void> {
    await this.#system.files.makeDirectory(this.#directory);
    await this.#system.files.write(join(this.#directory, `${name}.sql`), `${sql.trim()}\n`);
    await this.load();
  }

  /** undefined: there is none of that name. */
  async read(name: string): Promise<string | undefined> {
    if (!SavedQueries.isName(name)) return undefined;
    return this.#system.files.read(join(this.#directory, `${name}.sql`)).catch(() => undefined);
  }
}
