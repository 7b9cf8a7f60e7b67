import type { CommandContext } from "./context.js";

/** auto: a line that changes, on a terminal; plain: a line now and then; off: nothing. */
export type ProgressMode = "auto" | "off" | "plain";

const everyMs = { line: 200, plain: 5_000 } as const;

/** Tells how far long work is: on standard error, never among the results. */
export class WorkProgress {
  readonly #context: CommandContext;
  readonly #startedAt: number;
  readonly #mode: "line" | "plain" | "off";
  #shownAt = 0;
  #shown = false;
  #bytes = 0;
  /** Bytes of all there is to do; undefined where that is not known. */
  bytesTotal: number | undefined;
  records = 0;

  /** `printing`: results go to standard output; on the same terminal the line would be in their way. */
  constructor(context: CommandContext, mode: ProgressMode, printing: boolean) {
    this.#context = context;
    const { stderr, stdout } = context.system;
    const visible = stderr.isTty && !context.quiet && !(printing && stdout.isTty);
    const auto = visible ? "line" : "off";
    this.#mode = mode === "auto" ? auto : mode;
    this.#startedAt = context.system.uptime();
  }

  get seconds(): number {
    return (this.#context.system.uptime() - this.#startedAt) / 1_000;
  }

  async *count(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      this.#bytes += piece.length;
      yield piece;
    }
  }

  add(records: number): void {
    this.records += records;
    const { stderr, uptime } = this.#context.system;
    if (this.#mode === "off" || uptime() - this.#shownAt < everyMs[this.#mode]) return;
    this.#shownAt = uptime();
    this.#shown = this.#mode === "line";
    const text = this.#text();
    void stderr.write(this.#mode === "line" ? `\r${text}   ` : `${text}\n`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown) void this.#context.system.stderr.write("\r\u001b[K");
    this.#shown = false;
  }

  #text(): string {
    const rate = Math.round(this.records / Math.max(0.001, this.seconds)).toLocaleString("en-US");
    const mebibytes = this.#bytes > 0 ? ` · ${(this.#bytes / 1_048_576).toFixed(1)} MiB` : "";
    const bar = this.bytesTotal === undefined ? "" : `${barOf(this.#bytes / this.bytesTotal)} `;
    return `${bar}${counted(this.records)}${mebibytes} · ${rate}/s`;
  }
}

/** `[=====     ] 50%` */
function barOf(share: number): string {
  const part = Math.min(1, Math.max(0, share));
  const filled = Math.round(part * 20);
  return `[${"=".repeat(filled)}${" ".repeat(20 - filled)}] ${Math.round(part * 100)}%`;
}

export function counted(records: number): string {
  return `${records.toLocaleString("en-US")} record${records === 1 ? "" : "s"}`;
}
