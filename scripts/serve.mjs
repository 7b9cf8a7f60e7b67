/** A server in a directory of its own, for the scripts that try the product from outside. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * Starts `hstream server start` on a free port.
 * @param {string} bin The hstream.mjs to run.
 * @param {string} [directory] Where to keep the data, which then stay; else a new one, removed at the end.
 * @returns {Promise<{port: number, directory: string, stop(): Promise<number | null>, kill(): Promise<void>}>}
 */
export async function serve(bin, directory) {
  const own = directory ?? mkdtempSync(join(tmpdir(), "hstream-"));
  const child = spawn(
    process.execPath,
    [bin, "server", "start", "--data-dir", join(own, "data"), "--port", "0", "--set", "log-level=warn"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = once(child, "exit");
  const port = await new Promise((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      const found = /:(\d+)/.exec(line);
      if (found) resolve(Number(found[1]));
    });
    exited.then(([code]) => reject(new Error(`the server ended with ${code} before it was ready`)), reject);
  });
  return {
    port,
    directory: own,
    async stop() {
      child.kill("SIGTERM");
      const [code] = await exited;
      if (directory === undefined) rmSync(own, { recursive: true, force: true });
      return code;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
