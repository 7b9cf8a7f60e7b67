import { limits } from "../limits.js";

/** Something that went wrong, without anybody's data in it. */
export interface RecordedError {
  /** Ms since 1970. */
  readonly timeMs: number;
  /** Where: "append", "http POST /v1/sql", "view v", … */
  readonly source: string;
  /** Of the closed list, or "Internal". */
  readonly kind: string;
  readonly message: string;
}

/** The last errors of the server, in bounded memory. */
export class RecentErrors {
  readonly #kept: RecordedError[] = [];
  #next = 0;

  add(error: RecordedError): void {
    const message = error.message.slice(0, limits.recentErrorCharactersMax);
    this.#kept[this.#next] = { ...error, message };
    this.#next = (this.#next + 1) % limits.recentErrorsKept;
  }

  /** The oldest first. */
  list(): RecordedError[] {
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)];
  }
}
