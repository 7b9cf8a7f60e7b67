/**
 * Every platform package that a locked package may want stands in the lock, and none has an address of
 * its own. Otherwise `npm ci` refuses the lock, or installs a package that does not run elsewhere.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./ready.mjs";

const locked = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
const problems = [];

for (const [path, { optionalDependencies = {}, resolved, link }] of Object.entries(locked)) {
  if (resolved !== undefined && !link) problems.push(`${path} has an address: ${resolved}`);
  for (const name of Object.keys(optionalDependencies)) {
    if (!isLocked(path, name)) problems.push(`${path} may want ${name}, which is not locked`);
  }
}
for (const problem of problems) console.log(problem);
console.log(`${problems.length === 0 ? 1 : 0} passed, ${problems.length} failed`);
process.exit(problems.length === 0 ? 0 : 1);

/** Whether `name` is found from `path` upwards, as Node looks packages up. */
function isLocked(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("node_modules/") - 1))) {
    if (locked[`${at === "" ? "" : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === "") return false;
  }
}
