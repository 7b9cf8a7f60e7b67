export { certificates } from "./certificates.js";
export { runs, runsUpTo } from "./runs.js";
