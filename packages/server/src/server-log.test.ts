import assert from "node:assert/strict";
import { SimulatedEnv } from "./env/simulated-env.js";
import { limits } from "./limits.js";
import { createServerLog, createTextLog, limitedLog } from "./server-log.js";

describe("the server's log", () => {
  it("writes a JSON line for each message that is loud enough, with what belongs to it", () => {
    const lines: string[] = [];
    const log = createServerLog("info", { write: (line) => lines.push(line) }, "1.2.3");
    log("info", "Listening.");
    log("debug", "GET /healthz 200", { request: "ab12", ms: 1 });
    log("error", "Unexpected", new Error("broken"));
    log("warn", "GET /x 404", { request: "cd34" });
    log("warn", "odd", 7);
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      parsed.map(({ level, msg, service, request }) => [level, msg, service, request]),
      [
        [30, "Listening.", "hstream", undefined],
        [50, "Unexpected", "hstream", undefined],
        [40, "GET /x 404", "hstream", "cd34"],
        [40, "odd", "hstream", undefined],
      ],
    );
    assert.match(JSON.stringify(parsed[1]?.err), /broken/);
  });

  it("writes one line for people, too, and no control characters", () => {
    const lines: string[] = [];
    const log = createTextLog("info", { write: (line) => lines.push(line) });
    log("info", "Listening.");
    log("debug", "quiet");
    log("error", "Unexpected: \u001b[2J\nx", new Error("broken"));
    log("warn", "slow", { request: "ab12" });
    assert.deepEqual(lines, [
      "info: Listening.\n",
      "error: Unexpected: \\u001b[2J\\nx (broken)\n",
      'warn: slow ({"request":"ab12"})\n',
    ]);
  });

  it("lets only so many messages through, and counts the others", () => {
    const env = new SimulatedEnv();
    const seen: string[] = [];
    const log = limitedLog((level, message) => seen.push(`${level} ${message}`), env.clock, "info");
    for (let i = 0; i < limits.logMessagesPerSecondMax + 7; i++) {
      log("error", "again");
      log("debug", "that nobody would see");
    }
    assert.equal(seen.splice(0).length, limits.logMessagesPerSecondMax);
    env.timers.elapsedMs += 1_000;
    log("info", "next");
    assert.deepEqual(seen, ["warn 7 messages were left out (logMessagesPerSecondMax).", "info next"]);
  });
});
