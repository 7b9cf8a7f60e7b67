/** `npm run check`: everything that CI runs with Node alone. Arguments go to the tests. */
import { ready } from "./ready.mjs";
import { runSteps } from "./steps.mjs";

ready();
await runSteps([
  { name: "format", args: ["node_modules/@biomejs/biome/bin/biome", "format", "."] },
  { name: "lint", args: ["node_modules/eslint/bin/eslint.js", ".", "--max-warnings", "0"] },
  { name: "lock file", args: ["scripts/test-lock.mjs"] },
  { name: "architecture page", args: ["scripts/test-architecture.mjs"] },
  { name: "tests", args: ["scripts/test.mjs", ...process.argv.slice(2)] },
  { name: "documentation examples", args: ["scripts/test-docs.mjs"] },
  { name: "crash histories", args: ["scripts/test-crash.mjs", "--runs", "2000"] },
  { name: "the shell in tmux", args: ["scripts/test-tmux.mjs"] },
  { name: "kills", args: ["scripts/test-kill.mjs", "--runs", "15"] },
  { name: "packages", args: ["scripts/test-packages.mjs"] },
]);
