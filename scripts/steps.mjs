/** Runs named steps one after the other and tells how they went. */
import { closingLine, printClosingLine, runNode } from "./tee.mjs";

/**
 * Runs each step's command; a step that prints the house's closing line counts as many as it says,
 * any other counts one. Prints the closing line and sets the exit code.
 * @param {{name: string, args: string[]}[]} steps Node scripts with their arguments.
 */
export async function runSteps(steps) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const summary = [];
  for (const { name, args } of steps) {
    console.log(`\n== ${name}`);
    const started = Date.now();
    const { ok, output } = await runNode(args);
    const counted = closingLine(output) ?? { passed: Number(ok), failed: Number(!ok), skipped: 0 };
    total.passed += counted.passed;
    total.failed += Math.max(counted.failed, Number(!ok));
    total.skipped += counted.skipped;
    summary.push(`${ok ? "ok    " : "FAILED"} ${name} (${((Date.now() - started) / 1000).toFixed(0)} s)`);
  }
  console.log(`\n${summary.join("\n")}\n`);
  printClosingLine(total);
  process.exitCode = total.failed === 0 ? 0 : 1;
}
