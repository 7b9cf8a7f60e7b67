/** Every path that ARCHITECTURE.md and docs/security.md name exists, and the tests that they quote have these titles. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./ready.mjs";

const problems = [];
let passed = 0;
const check = (ok, problem) => {
  if (ok) passed++;
  else problems.push(problem);
};

const pages = ["ARCHITECTURE.md", "docs/security.md"];
const text = pages.map((page) => readFileSync(join(root, page), "utf8")).join("\n");
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
