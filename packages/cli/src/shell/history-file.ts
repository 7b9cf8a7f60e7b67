import { dirname, join } from "node:path";
import type { System } from "../system/system.js";
import { type History, historyLine, historyOf, parseHistory } from "./history.js";

/** Where the statements go that users typed; several shells may append at a time. */
export interface HistoryFile {
  readonly load: () => Promise<History>;
  /** Appends at once. A history that cannot be written is no reason to stop. */
  readonly append: (statement: string) => Promise<void>;
}

/** `--history-file`, or hstream/history.ndjson in the XDG state directory. */
export function historyFile(system: System, path: string | undefined): HistoryFile {
  const { env, files } = system;
  const home = env["HOME"] ?? env["USERPROFILE"] ?? ".";
  const state = env["XDG_STATE_HOME"] ?? join(home, ".local", "state");
  const file = path ?? join(state, "hstream", "history.ndjson");
  return {
    load: async () => {
      try {
        return historyOf(parseHistory(await files.read(file)));
      } catch {
        return historyOf([]);
      }
    },
    append: async (statement) => {
      try {
        await files.makeDirectory(dirname(file));
        await files.append(file, historyLine(system.now(), statement));
      } catch {
        // Not worth a word in the midst of work.
      }
    },
  };
}
