/** `npm start`: from a fresh clone to the quickstart. */
import { join } from "node:path";
import { ready, root, run } from "./ready.mjs";

ready();
run(process.execPath, [join(root, "packages/cli/bin/hstream.mjs"), "quickstart", ...process.argv.slice(2)]);
