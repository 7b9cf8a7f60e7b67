import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { encodeRecordBatch, HStreamRecordHeader_Flag, must } from "@hstream/proto";
import { createNodeEnv } from "../../env/node-env.js";
import { SimulatedEnv } from "../../env/simulated-env.js";
import { TestRoom } from "../test-room.js";

/** The statement of the README that asks for the busiest streams. */
function statementOfReadme(): string {
  const readme = readFileSync(new URL("../../../../../README.md", import.meta.url), "utf8");
  const found = /^-- Find the top 5 streams[\s\S]*?LIMIT 0, 5;$/m.exec(readme);
  return must(found?.[0], "the README has the statement");
}

describe("the busiest streams", () => {
  const world = new SimulatedEnv();
  let room: TestRoom;
  before(async () => {
    room = await TestRoom.open(undefined, { ...createNodeEnv(), clock: world.clock });
  });
  after(() => room.close());

  it("are told in their order, with the rates that their producers counted over a minute", async () => {
    const streams = Array.from({ length: 8 }, (_, i) => `load${i}`);
    for (const name of streams) await room.run(`CREATE STREAM ${name};`);
    const counted = new Map(streams.map((name) => [name, [] as number[]]));
    // Three producers, in steps of a quarter of a second, for 65 seconds of the server's clock; the
    // first seconds are faster, and out of the window at the end.
    for (let step = 0; step < 260; step++) {
      for (let producer = 0; producer < 3; producer++) {
        for (const [i, name] of streams.entries()) {
          const length = (100 + 37 * ((i * 5) % 8)) * (step < 16 ? 10 : 1) + producer;
          const record = { flag: HStreamRecordHeader_Flag.RAW, key: "", payload: Buffer.alloc(length) };
          const payload = encodeRecordBatch([record]);
          await room.appender.appendByKey(name, "", { recordCount: 1, compression: 0, payload });
          must(counted.get(name), "it is one of them").push(payload.length);
        }
      }
      await world.timers.advance(250);
    }
    const answer = await room.rows(statementOfReadme());
    const rates = [...counted].map(([name, lengths]) => {
      const lastMinute = lengths.slice(-3 * 240);
      return { name, rate: lastMinute.reduce((sum, length) => sum + length, 0) / 60 };
    });
    const busiest = rates.sort((a, b) => b.rate - a.rate).slice(0, 5);
    assert.deepEqual(
      answer.map(({ name }) => name),
      busiest.map(({ name }) => name),
    );
    for (const [i, { name, rate }] of busiest.entries()) {
      const told = Number(answer[i]?.total_throughput);
      assert.ok(Math.abs(told / rate - 1) < 0.01, `${name}: ${told} told, ${rate} counted`);
    }
  });
});
