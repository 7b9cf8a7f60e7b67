/** Every path that ARCHITECTURE.md names exists, and the tests of its laws have the titles it quotes. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./ready.mjs";

const problems = [];
let passed = 0;
const check = (ok, problem) => {
  if (ok) passed++;
  else problems.push(problem);
};

const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
for (const [, path] of text.matchAll(/`((?:packages|scripts|docs|bench|examples)\/[\w./-]+)`/g)) {
  check(existsSync(join(root, path)), `${path} does not exist`);
}
for (const [, path, title] of text.matchAll(/\| `([\w./-]+\.test\.ts)` "(.+?)" \|$/gm)) {
  const file = join(root, path);
  const source = existsSync(file) ? readFileSync(file, "utf8") : "";
  check(source.includes(title), `${path} has no test "${title}"`);
}
for (const problem of problems) console.log(problem);
console.log(`${passed} passed, ${problems.length} failed`);
process.exit(problems.length === 0 ? 0 : 1);
