/** Writes docs/sql/functions.md from the function table of the built packages. */
import { writeFileSync } from "node:fs";
import { renderFunctions } from "../packages/sql/dist/functions/render.js";

writeFileSync(new URL("../docs/sql/functions.md", import.meta.url), renderFunctions());
