import assert from "node:assert/strict";
import fc from "fast-check";
import type { Producer } from "./log-store.js";
import { compareSequences, ProducerTable } from "./producer-table.js";

const at = (step: number, chunk = 0, mode: Producer["mode"] = "contiguous"): Producer => ({
  id: "p",
  mode,
  sequence: { step, chunk },
});

/** Appends what is new, durable at once; what the producer is told. */
function offer(table: ProducerTable, producer: Producer, batchId: number): string {
  const verdict = table.judge(producer);
  if (verdict.kind === "repeat") return `repeat ${verdict.append.batchId}`;
  if (verdict.kind === "sequence-gap") return `gap ${verdict.expected.step}.${verdict.expected.chunk}`;
  if (verdict.kind === "new") table.settle(producer.id, table.record(producer, batchId, 0));
  return verdict.kind;
}

describe("the table of producers", () => {
  it("takes from a contiguous producer exactly the next", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(12)), (steps) => {
        const table = new ProducerTable();
        const ids = new Map<number, number>();
        let last = 0;
        for (const [id, step] of steps.entries()) {
          const told = offer(table, at(step), id);
          if (step === last + 1) {
            assert.equal(told, "new");
            ids.set(step, id);
            last = step;
          } else if (step > last || last === 0) {
            assert.equal(told, `gap ${last + 1}.0`);
          } else if (step > last - 5 && step > 0) {
            assert.equal(told, `repeat ${ids.get(step)}`);
          } else {
            assert.equal(told, "duplicate");
          }
        }
      }),
    );
  });

  it("takes from a monotone producer anything greater, and remembers the last five", () => {
    const sequence = fc.record({ step: fc.nat(6), chunk: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(sequence), (sequences) => {
        const table = new ProducerTable();
        const taken: { step: number; chunk: number; id: number }[] = [];
        for (const [id, next] of sequences.entries()) {
          const told = offer(table, at(next.step, next.chunk, "monotone"), id);
          const last = taken.at(-1);
          const kept = taken.slice(-5).find((one) => compareSequences(one, next) === 0);
          if (last === undefined || compareSequences(next, last) > 0) {
            assert.equal(told, "new");
            taken.push({ ...next, id });
          } else {
            assert.equal(told, kept === undefined ? "duplicate" : `repeat ${kept.id}`);
          }
        }
      }),
    );
  });

  it("lets repeats find appends that are not durable, however many", () => {
    const table = new ProducerTable();
    const waiting = Array.from({ length: 9 }, (_, i) => table.record(at(i + 1), i, 0));
    for (const append of waiting) {
      assert.deepEqual(table.judge(at(append.sequence.step)), { kind: "repeat", append });
    }
    for (const append of waiting) table.settle("p", append);
    assert.deepEqual(table.judge(at(4)), { kind: "duplicate" });
    assert.equal(table.judge(at(5)).kind, "repeat");
    assert.deepEqual(table.durableStates()[0]?.appends.length, 5);
  });

  it("forgets an append that is taken back, and the producer with its last", () => {
    const table = new ProducerTable();
    table.settle("p", table.record(at(1), 1, 0));
    const second = table.record(at(2), 2, 0);
    table.revoke("p", second);
    assert.deepEqual(table.judge(at(2)), { kind: "new" });
    assert.deepEqual(table.judge(at(3)), { kind: "sequence-gap", expected: { step: 2, chunk: 0 } });
    const other = new ProducerTable();
    other.revoke("p", other.record(at(1), 1, 0));
    assert.deepEqual(other.judge(at(1)), { kind: "new" });
    assert.deepEqual(other.durableStates(), []);
  });

  it("stores only what is durable", () => {
    const table = new ProducerTable();
    table.settle("p", table.record(at(1), 1, 0));
    table.record(at(2), 2, 0);
    const restored = new ProducerTable();
    for (const state of table.durableStates()) restored.restore(state);
    assert.deepEqual(restored.judge(at(2)), { kind: "new" });
    assert.equal(restored.judge(at(1)).kind, "repeat");
  });

  it("forgets contiguous producers that are silent for too long, but no monotone ones", () => {
    const table = new ProducerTable();
    table.settle("p", table.record(at(1), 1, 1000));
    const query: Producer = { id: "q", mode: "monotone", sequence: { step: 1, chunk: 0 } };
    table.settle("q", table.record(query, 2, 1000));
    table.expire(1000);
    assert.equal(table.judge(at(1)).kind, "repeat");
    table.expire(1001);
    assert.deepEqual(table.judge(at(1)), { kind: "new" });
    assert.equal(table.judge(query).kind, "repeat");
  });
});
