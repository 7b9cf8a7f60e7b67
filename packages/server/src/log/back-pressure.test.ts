import assert from "node:assert/strict";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { VoidDisk } from "../env/void-disk.js";
import { limits } from "../limits.js";
import { EmbeddedLog } from "./embedded-log.js";

const clients = 200;
const batchBytes = 1_048_576;
const syncMs = 300;
/** Frames have a header beside their payload. */
const slackBytes = 1_048_576;

describe("200 clients that append 1 MiB each, over and over, to a disk that takes 300 ms a sync", function () {
  this.timeout(60_000);

  it("hold no more memory than the limits say, however long it takes", async () => {
    const env = new SimulatedEnv();
    const disk = new VoidDisk(() => env.timers.sleep(syncMs));
    const starting = EmbeddedLog.start({ ...env, disk }, "/log", { tailCacheBytesMax: 8 * 1_048_576 });
    let log: EmbeddedLog | undefined;
    void starting.then((started) => {
      log = started;
    });
    while (log === undefined) await pass();
    const started = log;
    const creating = started.createShard(1);
    await pass();
    await creating;
    const opening = started.open(1);
    await pass();
    const fence = await opening;

    const appends = new Array<number>(clients).fill(0);
    let refused = 0;
    let stopped = false;
    const client = async (me: number) => {
      while (!stopped) {
        const batch = { recordCount: 1, compression: 0, payload: Buffer.alloc(batchBytes, me) };
        for (;;) {
          const result = await started.append(1, batch, { fence });
          if (result.kind === "appended") break;
          assert.ok(result.kind === "full" && result.reason === "in-flight");
          refused++;
          await env.timers.sleep(1_000);
        }
        appends[me] = (appends[me] ?? 0) + 1;
      }
    };
    const work = appends.map((_, me) => client(me));
    const atMost = limits.appendBytesInFlightMax + limits.appendBytesWaitingMax + slackBytes;
    const rss: number[] = [];
    for (let sync = 0; sync < 1_200; sync++) {
      await pass();
      const { bytesInFlight, bytesWaiting } = started.statistics();
      assert.ok(bytesInFlight <= limits.appendBytesInFlightMax, `${bytesInFlight} bytes are in flight`);
      assert.ok(bytesWaiting <= limits.appendBytesWaitingMax, `${bytesWaiting} bytes wait`);
      rss.push(process.memoryUsage.rss());
    }
    assert.ok(refused > 0, "there was more than the limits allow");
    // The first rounds fill what is bounded; after that nothing may grow. Freed buffers wait for the collector.
    const highest = (samples: number[]) => Math.max(...samples);
    const grown = highest(rss.slice(800)) - highest(rss.slice(200, 800));
    assert.ok(grown < 64 * 1_048_576, `memory grew by ${grown} bytes`);
    const total = appends.reduce((sum, count) => sum + count, 0);
    assert.ok(total * batchBytes > 4 * atMost, "many times as much was appended as fits into memory");
    stopped = true;
    let done = false;
    void Promise.all(work).then(() => {
      done = true;
    });
    while (!done) await pass();
    const closing = started.close();
    await pass();
    await pass();
    await closing;

    /** One sync goes by. */
    async function pass(): Promise<void> {
      await env.timers.advance(syncMs);
      await settle();
    }
  });
});
