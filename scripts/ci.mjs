/**
 * What must pass before a change lands: the check, longer runs of random tests, and the official clients
 * and requests made of the OpenAPI document, which need their toolchains.
 */
import { runSteps } from "./steps.mjs";

await runSteps([
  { name: "check", args: ["scripts/check.mjs"] },
  {
    name: "random queries against DuckDB",
    // Some 60 properties: five minutes.
    args: ["scripts/test.mjs", "--seconds", "5", "--grep", "the same answers as DuckDB"],
  },
  {
    name: "mutated statements",
    args: ["scripts/test.mjs", "--seconds", "60", "--grep", "parser and binder on mutated statements"],
  },
  { name: "slow consumers", args: ["scripts/test-slow-consumers.mjs"] },
  {
    name: "official clients, requests made of the OpenAPI document",
    args: ["scripts/compat.mjs", "--require"],
  },
]);
