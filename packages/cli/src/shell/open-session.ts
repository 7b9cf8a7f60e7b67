import type { CommandContext } from "../commands/context.js";
import { connectTo } from "../commands/context.js";
import { Catalogue } from "./completion/catalogue.js";
import type { HistoryFile } from "./history-file.js";
import type { SavedQueries } from "./saved-queries.js";
import { type SessionOutput, ShellSession } from "./session.js";
import type { ServerLink } from "./shell-tools.js";
import { loadSplitter } from "./statements.js";

export interface OpenedShell {
  readonly session: ShellSession;
  /** Names for completion; undefined where nothing completes. */
  readonly catalogue: Catalogue | undefined;
  readonly close: () => Promise<void>;
}

/** Connects, and makes a session that prints to `output`. */
export async function openSession(
  context: CommandContext,
  output: SessionOutput,
  parts: {
    readonly history: HistoryFile;
    readonly saved: SavedQueries;
    /** Told when names that completion offers have come. */
    readonly namesChanged: () => void;
  },
): Promise<OpenedShell> {
  const { system, format } = context;
  const { history, saved } = parts;
  const [split, link] = await Promise.all([loadSplitter(), openLink(context)]);
  const catalogue = output.live
    ? new Catalogue(() => link.client, system.uptime, parts.namesChanged)
    : undefined;
  // Names are there when they are asked for.
  void saved.load();
  void catalogue?.refresh();
  const session = new ShellSession({ link, format, split, output, system, history, saved, catalogue });
  return { session, catalogue, close: () => link.client.close() };
}

async function openLink(context: CommandContext): Promise<ServerLink> {
  let url = context.url;
  const replace = async (other: string) => {
    const client = await connectTo(context, other);
    const before = link.client;
    link.client = client;
    url = other;
    await before.close();
  };
  const link: ServerLink = {
    client: await connectTo(context, url),
    server: context.server,
    connect: async (other) => {
      await replace(other);
      link.server = other.replace(/^hstreams?:\/\//, "");
    },
    reconnect: () => replace(url),
  };
  return link;
}
