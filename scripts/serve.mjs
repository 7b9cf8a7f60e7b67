/** A server in a directory of its own, for the scripts that try the product from outside. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/**
 * Starts `hstream server start` on a free port.
 * @param {string} bin The hstream.mjs to run.
 * @param {{ http?: boolean }} [options] `http`: with REST, on another free port.
 * @returns {Promise<{port: number, httpPort?: number, directory: string, stop(): Promise<number | null>}>}
 */
export async function serve(bin, { http = false } = {}) {
  const httpPort = http ? await freePort() : undefined;
  const more = http ? ["--set", `http-port=${httpPort}`] : [];
  const directory = mkdtempSync(join(tmpdir(), "hstream-"));
  const child = spawn(
    process.execPath,
    [bin, "server", "start", "--data-dir", join(directory, "data"), "--port", "0", ...more],
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
    httpPort,
    directory,
    async stop() {
      child.kill("SIGTERM");
      const [code] = await exited;
      rmSync(directory, { recursive: true, force: true });
      return code;
    },
  };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
