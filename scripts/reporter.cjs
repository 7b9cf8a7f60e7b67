/** Prints failures in full, skipped tests with their reason, and the closing line of the house. */
const { reporters } = require("mocha");

class Reporter extends reporters.Base {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    const slowest = [];
    let suite;
    runner.on("pass", (test) => {
      slowest.push([test.duration ?? 0, test.fullTitle()]);
      const top = test.titlePath()[0];
      if (top !== suite) {
        suite = top;
        console.log(`  ${top}`);
      }
    });
    runner.on("pending", (test) => skipped.push(test.fullTitle()));
    runner.on("fail", (test, error) => {
      console.log(`\nFAILED ${test.fullTitle()}\n${error.stack ?? error}\n`);
    });
    runner.on("end", () => {
      for (const title of skipped) console.log(`skipped: ${title}`);
      slowest.sort(([a], [b]) => b - a);
      console.log("\nThe slowest:");
      for (const [ms, title] of slowest.slice(0, 8)) console.log(`  ${(ms / 1000).toFixed(1)} s  ${title}`);
      const { passes, failures, duration } = this.stats;
      console.log(`\n${(duration / 1000).toFixed(1)} s`);
      console.log(
        `${passes} passed, ${failures} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`,
      );
    });
  }
}

module.exports = Reporter;
