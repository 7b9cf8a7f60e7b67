import { type IPty, spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";
import { childEnv, cliEntry } from "./run-cli.js";

/** The built command line in a pseudo terminal, with a screen that can be looked at. */
export class TestTerminal {
  readonly #screen: InstanceType<typeof xterm.Terminal>;
  readonly #pty: IPty;
  readonly exit: Promise<number>;
  /** All that the program wrote. */
  bytes = "";
  #watchers: (() => void)[] = [];

  constructor(
    args: readonly string[],
    options: {
      readonly env?: Readonly<Record<string, string>>;
      readonly columns?: number;
      readonly rows?: number;
      /** A program that the output goes through, so that it is no terminal's. */
      readonly through?: string;
    } = {},
  ) {
    const { columns = 80, rows = 24 } = options;
    this.#screen = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
    const command = [process.execPath, cliEntry, ...args];
    const [file = "", ...rest] =
      options.through === undefined ? command : ["sh", "-c", `"$@" | ${options.through}`, "sh", ...command];
    this.#pty = spawn(file, rest, {
      name: options.env?.["TERM"] ?? "xterm-256color",
      cols: columns,
      rows,
      env: childEnv({ TERM: "xterm-256color", ...options.env }),
    });
    this.#pty.onData((data) => {
      this.bytes += data;
      this.#screen.write(data, () => {
        for (const watcher of this.#watchers) watcher();
      });
    });
    this.exit = new Promise((resolve) => this.#pty.onExit(({ exitCode }) => resolve(exitCode)));
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
    this.#pty.resize(columns, rows);
  }

  kill(signal: string): void {
    this.#pty.kill(signal);
  }

  /** Scrollback and screen, without blanks at the ends of lines. */
  text(): string {
    const { active } = this.#screen.buffer;
    const lines: string[] = [];
    for (let row = 0; row < active.length; row += 1) {
      lines.push(active.getLine(row)?.translateToString(true) ?? "");
    }
    return lines.join("\n").trimEnd();
  }

  /** Where the cursor is, from 0. */
  cursor(): { readonly column: number; readonly line: string } {
    const { active } = this.#screen.buffer;
    const line = active.getLine(active.baseY + active.cursorY)?.translateToString(true) ?? "";
    return { column: active.cursorX, line };
  }

  /** Settles once the text satisfies; fails with the text when that takes too long. */
  async until(holds: RegExp | ((text: string) => boolean), timeoutMs = 5_000): Promise<string> {
    const test = typeof holds === "function" ? holds : (text: string) => holds.test(text);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#watchers = this.#watchers.filter((other) => other !== watch);
      };
      const timeout = AbortSignal.timeout(timeoutMs);
      timeout.addEventListener("abort", () => {
        leave();
        reject(new Error(`the screen never showed ${String(holds)}:\n${this.text()}`));
      });
      const watch = () => {
        const text = this.text();
        if (!test(text)) return;
        leave();
        resolve(text);
      };
      this.#watchers.push(watch);
      watch();
    });
  }
}
