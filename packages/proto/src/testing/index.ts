export { certificates } from "./certificates.js";
export { runs } from "./runs.js";
