/** `npm run bench NAME [-- --json]`: runs bench/NAME.mjs; without a name, lists them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ready, root, run } from "./ready.mjs";

const [name, ...rest] = process.argv.slice(2);
const file = join(root, "bench", `${name}.mjs`);
const parts = ["harness.mjs", "plain-stream.mjs", "log-rpc.mjs"];
if (name === undefined || parts.includes(`${name}.mjs`) || !existsSync(file)) {
  const names = readdirSync(join(root, "bench"))
    .filter((entry) => entry.endsWith(".mjs") && !parts.includes(entry))
    .map((entry) => entry.slice(0, -".mjs".length));
  console.error(`npm run bench NAME [-- --json], where NAME is one of: ${names.join(", ")}`);
  process.exit(2);
}
ready();
run(process.execPath, [file, ...rest]);
