/** Runs a Node script; what it prints is shown as it comes, and kept. */
import { spawn } from "node:child_process";
import { root } from "./ready.mjs";

/**
 * @param {string[]} args The script and its arguments.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ok: boolean, output: string}>}
 */
export function runNode(args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ ok: status === 0, output }));
  });
}

/** The house's closing line, `N passed, N failed[, N skipped]`, as numbers; undefined without one. */
export function closingLine(output) {
  const found = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1);
  if (found === undefined) return undefined;
  return { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3] ?? 0) };
}

export function printClosingLine({ passed, failed, skipped = 0 }) {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
}
