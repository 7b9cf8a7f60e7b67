/** A server in a directory of its own, for the scripts that try the product from outside. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * Starts `hstream server start` on a free port, on data that are removed when it is stopped.
 * @param {string} bin The hstream.mjs to run.
 * @param {string[]} [flags] More of the command's flags.
 */
export async function serve(bin, flags = []) {
  const directory = mkdtempSync(join(tmpdir(), "hstream-"));
  const settings = ["--data-dir", join(directory, "data"), "--set", "log-level=warn", ...flags];
  let running = await start(bin, [...settings, "--port", "0"]);
  const { port } = running;
  return {
    port,
    directory,
    /** Of the process that runs now. */
    get pid() {
      return running.pid;
    },
    /** Ends the server, unless it was killed, and starts it again on the same port and data. */
    async restart() {
      await running.end("SIGTERM");
      running = await start(bin, [...settings, "--port", String(port)]);
    },
    async kill() {
      await running.end("SIGKILL");
    },
    /** Ends the server and removes its data; resolves with its exit code. */
    async stop() {
      const code = await running.end("SIGTERM");
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
    pid: child.pid,
    /** Resolves with the exit code; at once when it has ended already. */
    async end(signal) {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
}
