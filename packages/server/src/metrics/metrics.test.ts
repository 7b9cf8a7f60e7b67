import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { SimulatedEnv } from "../env/simulated-env.js";
import { limits } from "../limits.js";
import { Histogram } from "./histogram.js";
import { Meter } from "./meter.js";
import { Meters } from "./meters.js";
import { Metrics } from "./metrics.js";
import { Moment } from "./moment.js";
import { RecentErrors } from "./recent-errors.js";

const minute = 60_000;

describe("meter", () => {
  it("gives a steady rate exactly, over every window and at any age", () => {
    const meter = new Meter(["bytes"], 0);
    for (let now = 100; now <= 70 * minute; now += 100) {
      meter.add(new Moment(now), 50);
      if (now % 137_300 !== 0) continue;
      for (const window of [1, 5, 10, 15, 30, 60]) {
        const rate = meter.rate("bytes", window * minute, now);
        assert.ok(Math.abs(rate - 500) < 5, `${rate} B/s over ${window} min at ${now} ms`);
      }
    }
  });

  it("agrees with a recount of the window, to a slot's traffic", () => {
    const events = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 1, max: 1_000 })),
      {
        minLength: 1,
        maxLength: 200,
      },
    );
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: minute }), (steps, quiet) => {
        const meter = new Meter(["bytes"], 0);
        let now = 0;
        const seen: [number, number][] = [];
        for (const [wait, bytes] of steps) {
          now += wait;
          meter.add(new Moment(now), bytes);
          seen.push([now, bytes]);
        }
        now += quiet + 1;
        for (const [windowMs, slotMs] of [
          [minute, 1_000],
          [5 * minute, 15_000],
          [60 * minute, 15_000],
        ] as const) {
          const length = Math.min(windowMs, now);
          const sumSince = (from: number) => seen.reduce((sum, [at, b]) => (at >= from ? sum + b : sum), 0);
          const measured = (meter.rate("bytes", windowMs, now) * length) / 1_000;
          const least = sumSince(now - length + slotMs);
          const most = sumSince(now - length - slotMs);
          assert.ok(measured >= least - 1e-6 && measured <= most + 1e-6, `${least} ≤ ${measured} ≤ ${most}`);
        }
      }),
    );
  });

  it("has counted everything at any moment at which it is asked", () => {
    const lanes = ["a", "b", "c", "d", "e"] as const;
    const event = fc.tuple(
      fc.integer({ min: 0, max: 3_000 }),
      fc.array(fc.nat(1_000_000), { minLength: 5, maxLength: 5 }),
      fc.constantFrom("nothing", "total", "rate", "sweep"),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), (events) => {
        const meter = new Meter(lanes, 0);
        const truth = [0, 0, 0, 0, 0];
        let now = 0;
        for (const [wait, counts, asked] of events) {
          now += wait;
          const [a = 0, b = 0, c = 0, d = 0, e = 0] = counts;
          meter.add(new Moment(now), a, b, c, d, e);
          for (const [lane, count] of counts.entries()) truth[lane] = (truth[lane] ?? 0) + count;
          if (asked === "rate") meter.rate("c", minute, now);
          if (asked === "sweep") meter.freeIfIdle(now);
          if (asked !== "total") continue;
          assert.deepEqual(
            lanes.map((lane) => meter.total(lane)),
            truth,
          );
        }
        assert.deepEqual(
          lanes.map((lane) => meter.total(lane)),
          truth,
        );
      }),
      { numRuns: runs(100) },
    );
  });

  it("counts beyond 2^31 within a second", () => {
    const meter = new Meter(["bytes"], 0);
    for (let i = 0; i < 10; i++) meter.add(new Moment(1), 1_073_741_824);
    assert.equal(meter.total("bytes"), 10 * 1_073_741_824);
  });

  it("divides by its age while that is below the window", () => {
    const meter = new Meter(["bytes", "records"], 1_000);
    meter.add(new Moment(1_000), 600, 6);
    assert.equal(meter.rate("bytes", minute, 3_000), 300);
    assert.equal(meter.rate("records", 60 * minute, 3_000), 3);
    assert.equal(meter.rate("bytes", minute, 1_000), 0);
  });

  it("frees its rings after an idle hour and keeps its totals", () => {
    const meter = new Meter(["bytes"], 0);
    meter.add(new Moment(500), 100);
    assert.equal(meter.freeIfIdle(30 * minute), "active");
    assert.equal(meter.freeIfIdle(61 * minute), "idle");
    assert.equal(meter.rate("bytes", minute, 61 * minute), 0);
    assert.equal(meter.total("bytes"), 100);
    meter.add(new Moment(62 * minute), 60);
    assert.equal(meter.rate("bytes", minute, 62 * minute), 1);
    assert.equal(meter.total("bytes"), 160);
  });
});

describe("meters", () => {
  it("count what is beyond their bound together", () => {
    const meters = new Meters(["n"]);
    for (let i = 0; i < limits.meteredObjectsMax + 5; i++) meters.of(`id-${i}`, 0).add(new Moment(0), 1);
    assert.equal(meters.find(`id-${limits.meteredObjectsMax}`), undefined);
    assert.equal(meters.sum("n"), limits.meteredObjectsMax + 5);
  });

  it("read the clock once for what happens together", async () => {
    const env = new SimulatedEnv();
    let readings = 0;
    const monotonic = () => {
      readings += 1;
      return env.clock.monotonic();
    };
    const metrics = new Metrics({ now: () => 0, monotonic }, env.timers);
    const meter = metrics.appendsOf("s");
    const started = metrics.moment();
    await Promise.resolve();
    readings = 0;
    const synced = Promise.resolve();
    const appended = () => metrics.appended(meter, 1, 1, started);
    await Promise.all(Array.from({ length: 100 }, () => synced.then(appended)));
    assert.equal(readings, 1);
    await env.timers.advance(1_000);
    assert.equal(metrics.now(), 1_000);
  });

  it("forget objects that are gone, once they are idle", async () => {
    const env = new SimulatedEnv();
    const metrics = new Metrics(env.clock, env.timers);
    metrics.appended(metrics.appendsOf("gone"), 10, 1, metrics.moment());
    metrics.appended(metrics.appendsOf("there"), 10, 1, metrics.moment());
    metrics.startSweeping({ stream: (id) => id === "there", subscription: () => false });
    await env.timers.advance(59 * minute);
    assert.notEqual(metrics.appends.find("gone"), undefined);
    await env.timers.advance(2 * minute);
    assert.equal(metrics.appends.find("gone"), undefined);
    assert.equal(metrics.appends.find("there")?.total("bytes"), 10);
    metrics.close();
  });
});

describe("the memory of counters", () => {
  it("follows the streams that are written, not those that there are or were written once", async () => {
    const env = new SimulatedEnv();
    const metrics = new Metrics(env.clock, env.timers);
    metrics.startSweeping({ stream: () => true, subscription: () => true });
    const write = (from: number, to: number) => {
      for (let i = from; i < to; i++) metrics.appended(metrics.appendsOf(`s${i}`), 1, 1, metrics.moment());
    };
    write(0, 2_000);
    const busy = metrics.appends.ringBytes;
    // Two rings of 121 and 242 slots, four counts in each, 8 bytes a count.
    assert.equal(busy, 2_000 * (121 + 242) * 4 * 8);
    for (let hour = 0; hour < 2; hour++) {
      await env.timers.advance(40 * minute);
      write(0, 20);
    }
    await env.timers.advance(minute);
    const idle = metrics.appends.ringBytes;
    assert.equal(idle, busy / 100);
    assert.equal(metrics.appends.sum("records"), 2_040);
    metrics.close();
  });
});

describe("histogram", () => {
  it("gives quantiles within a sixteenth of the true ones", () => {
    const durations = fc.array(fc.double({ min: 0.1, max: 60_000, noNaN: true }), {
      minLength: 1,
      maxLength: 300,
    });
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (list, q) => {
        const histogram = new Histogram();
        for (const ms of list) histogram.record(ms);
        const sorted = [...list].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0;
        assert.ok(
          Math.abs(histogram.quantile(q) - exact) <= exact / 16 + 0.001,
          `${histogram.quantile(q)} for ${exact}`,
        );
      }),
    );
  });

  it("tells the same whether durations come in runs or not, and whenever it is asked", () => {
    const durations = fc.array(fc.tuple(fc.constantFrom(0, 0.4, 0.5, 7, 7.01), fc.boolean()));
    fc.assert(
      fc.property(durations, (list) => {
        const asked = new Histogram();
        const sorted = new Histogram();
        for (const [index, [ms, ask]] of list.entries()) {
          asked.record(ms);
          if (ask) assert.equal(asked.count, index + 1);
        }
        for (const [ms] of list.sort(([a], [b]) => a - b)) sorted.record(ms);
        assert.equal(asked.count, sorted.count);
        assert.ok(Math.abs(asked.sumMs - sorted.sumMs) < 1e-6);
        assert.deepEqual(asked.below(1, 20), sorted.below(1, 20));
        for (const q of [0, 0.5, 0.99, 1]) assert.equal(asked.quantile(q), sorted.quantile(q));
      }),
      { numRuns: runs(100) },
    );
    const reset = new Histogram();
    reset.record(5);
    reset.reset();
    assert.equal(reset.count, 0);
  });

  it("counts what is below each power of two, and everything once", () => {
    const histogram = new Histogram();
    for (const ms of [0, 0.5, 1, 1.024, 3, 5_000_000, 1e12, -1]) histogram.record(ms);
    assert.deepEqual(histogram.below(10, 12), [
      { ms: 1.024, count: 4 },
      { ms: 2.048, count: 5 },
      { ms: 4.096, count: 6 },
    ]);
    assert.equal(histogram.count, 8);
    assert.equal(new Histogram().quantile(0.5), 0);
  });
});

describe("recent errors", () => {
  it("keeps the last ones, the oldest first, and bounds their texts", () => {
    const errors = new RecentErrors();
    const count = limits.recentErrorsKept + 3;
    for (let i = 0; i < count; i++)
      errors.add({ timeMs: i, source: "s", kind: "k", message: "m".repeat(9_999) });
    const kept = errors.list();
    assert.equal(kept.length, limits.recentErrorsKept);
    assert.equal(kept[0]?.timeMs, 3);
    assert.equal(kept.at(-1)?.timeMs, count - 1);
    assert.ok((kept[0]?.message.length ?? 0) <= limits.recentErrorCharactersMax);
  });
});
