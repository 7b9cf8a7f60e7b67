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
 * @param {string[]} flags More of the command's flags.
 * @returns {Promise<{port: number, directory: string, restart(): Promise<void>, stop(): Promise<number | null>}>}
 */
export async function serve(bin, flags = []) {
  const directory = mkdtempSync(join(tmpdir(), "hstream-"));
  const data = ["--data-dir", join(directory, "data")];
  let server = await start(bin, [...data, "--port", "0", ...flags]);
  const { port } = server;
  return {
    port,
    directory,
    /** Ends the server and starts it again, on the same port and data. */
    async restart() {
      await server.stop();
      server = await start(bin, [...data, "--port", String(port), ...flags]);
    },
    async stop() {
      const code = await server.stop();
      rmSync(directory, { recursive: true, force: true });
      return code;
    },
  };
}

async function start(bin, flags) {
  const child = spawn(process.execPath, [bin, "server", "start", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
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
    async stop() {
      child.kill("SIGTERM");
      const [code] = await exited;
      return code;
    },
  };
}
