#!/usr/bin/env node
// Answers --version without loading anything; all else is in the bundle.
import { existsSync, readFileSync } from "node:fs";

const [first] = process.argv.slice(2);
if (first === "--version" || first === "-v") {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  process.stdout.write(`hstream ${version}\n`);
} else {
  const bundle = new URL("../bundle/hstream.js", import.meta.url);
  if (existsSync(bundle)) await import(bundle.href);
  else {
    process.stderr.write("hstream is not built yet. In the root of the clone run: npm run build\n");
    process.exitCode = 1;
  }
}
