/** Runs named steps one after the other and tells how they went. */
import { spawnSync } from "node:child_process";
import { root } from "./ready.mjs";

const closing = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm;

/**
 * Runs each step's command; a step that prints the house's closing line counts as many as it says,
 * any other counts one. Prints the closing line and ends the process.
 * @param {{name: string, args: string[]}[]} steps Node scripts with their arguments.
 */
export function runSteps(steps) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const summary = [];
  for (const { name, args } of steps) {
    console.log(`\n== ${name}`);
    const started = process.hrtime.bigint();
    const result = spawnSync(process.execPath, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    process.stdout.write(result.stdout ?? "");
    const ok = result.status === 0;
    // The last one: a step may be made of steps.
    const counted = [...(result.stdout ?? "").matchAll(closing)].at(-1);
    total.passed += counted ? Number(counted[1]) : Number(ok);
    total.failed += counted ? Math.max(Number(counted[2]), Number(!ok)) : Number(!ok);
    total.skipped += counted ? Number(counted[3] ?? 0) : 0;
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    summary.push(`${ok ? "ok    " : "FAILED"} ${name} (${seconds.toFixed(0)} s)`);
  }
  console.log(`\n${summary.join("\n")}\n`);
  console.log(
    `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
  );
  process.exit(total.failed === 0 ? 0 : 1);
}
