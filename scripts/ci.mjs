/** What must pass before a change lands: the check, and the official clients, which need their toolchains. */
import { runSteps } from "./steps.mjs";

runSteps([
  { name: "check", args: ["scripts/check.mjs"] },
  { name: "official clients", args: ["scripts/compat.mjs", "--require"] },
]);
