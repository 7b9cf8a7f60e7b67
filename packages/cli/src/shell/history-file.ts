import { dirname, join } from "node:path";
import type { System } from "../system/system.js";
import { type History, historyLine, historyOf, parseHistory, type TimedStatement } from "./history.js";

/** Where the statements go that users typed; several shells may append at a time. */
export interface HistoryFile {
  readonly load: () => Promise<History>;
  /** Appends at once. A history that cannot be written is no reason to stop. */
  readonly append: (statement: string) => Promise<void>;
  /** All statements, those of other shells too, with their times. */
  readonly timed: () => Promise<readonly TimedStatement[]>;
  /** What other shells added since; undefined when nothing did. */
  readonly reload: () => Promise<History | undefined>;
}

/** `--history-file`, or hstream/history.ndjson in the XDG state directory. */
export function historyFile(system: System, path: string | undefined): HistoryFile {
  const { env, files } = system;
  const home = env["HOME"] ?? env["USERPROFILE"] ?? ".";
  const state = env["XDG_STATE_HOME"] ?? join(home, ".local", "state");
  const file = path ?? join(state, "hstream", "history.ndjson");
  const own: TimedStatement[] = [];
  let bytes = 0;
  const timed = async () => {
    try {
      const text = await files.read(file);
      bytes = Buffer.byteLength(text);
      return parseHistory(text);
    } catch {
      // Not writable, perhaps not there: what this shell did is known all the same.
      return own;
    }
  };
  const load = async () => historyOf((await timed()).map(({ sql }) => sql));
  return {
    load,
    timed,
    reload: async () => {
      const size = await files.size(file).catch(() => bytes);
      return size === bytes ? undefined : load();
    },
    append: async (statement) => {
      if (isSecret(statement)) return;
      own.push({ at: system.now(), sql: statement });
      if (own.length > 1_000) own.shift();
      try {
        const line = historyLine(system.now(), statement);
        await files.makeDirectory(dirname(file));
        await files.append(file, line);
        bytes += Buffer.byteLength(line);
      } catch {
        // Not worth a word in the midst of work.
      }
    },
  };
}

/** A statement that begins with a blank, or has a secret among its options, is not kept. */
export function isSecret(statement: string): boolean {
  return (
    /^\s/.test(statement) ||
    /\bwith\s*\([^)]*\w*(password|passwd|secret|token|api_?key)\w*\s*=/i.test(statement)
  );
}
