/** How long a person waits: `hstream --version` and a server on an empty directory, against `node -e 0`. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../scripts/ready.mjs";
import { serve } from "../scripts/serve.mjs";
import { bench } from "./harness.mjs";

const bin = join(root, "packages/cli/bin/hstream.mjs");

const bareNode = async () => timed(() => spawnSync(process.execPath, ["-e", "0"]));

await bench([
  {
    case: "hstream --version",
    unit: "ms",
    measure: async () => timed(() => spawnSync(process.execPath, [bin, "--version"])),
    floor: bareNode,
    target: "ratio ≤ 2",
  },
  {
    case: "server ready, empty directory",
    unit: "ms",
    turns: 5,
    measure: async () => {
      const started = performance.now();
      const server = await serve(bin);
      const ready = performance.now() - started;
      await server.stop();
      return ready;
    },
    target: "≤ 1000",
  },
]);

function timed(work) {
  const started = performance.now();
  work();
  return performance.now() - started;
}
