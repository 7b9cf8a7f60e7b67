import { join } from "node:path";
import { startEmbeddedServer } from "../embedded-server.js";
import { processSystem } from "../system/process-system.js";

/** A server within this process, with data of its own. */
export interface RealServer {
  readonly port: number;
  readonly url: string;
  readonly stop: () => Promise<void>;
}

export async function startRealServer(): Promise<RealServer> {
  const { files } = processSystem();
  const dataDir = await files.temporaryDirectory("hstream-test-");
  const server = await startEmbeddedServer(
    { ...processSystem(), env: {} },
    { dataDir, host: "127.0.0.1", port: "0", logFile: join(dataDir, "server.log") },
  );
  return {
    port: server.port,
    url: `hstream://127.0.0.1:${server.port}`,
    stop: async () => {
      await server.close();
      await files.removeDirectory(dataDir);
    },
  };
}
