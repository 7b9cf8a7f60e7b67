import assert from "node:assert/strict";
import fc from "fast-check";
import { BatchIds, batchId, epochOf } from "./batch-id.js";
import { decodeControl, encodeControlPayload } from "./control-frame.js";
import {
  batchFrameBytes,
  decodeFrame,
  encodeBatch,
  encodeControl,
  frameBuffer,
  recentBatch,
} from "./frame.js";
import { FrameMemory } from "./frame-memory.js";
import type { BatchId, StoredBatch } from "./log-store.js";
import { decodeState, encodeState } from "./log-state.js";
import { IndexPacker } from "./packed-index.js";
import { ProducerTable } from "./producer-table.js";
import { decodeHeader, encodeHeader } from "./segment.js";
import { Shard, Shards } from "./shard.js";
import { ShardIndex } from "./shard-index.js";

/** Like what a decoder makes: plain objects. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { noNullPrototype: true });
const whole = fc.maxSafeNat();
const sequence = record({ step: whole, chunk: fc.nat(2 ** 32 - 1) });
const producer = record({
  id: fc.string({ unit: "binary", maxLength: 200 }),
  mode: fc.constantFrom("contiguous" as const, "monotone" as const, "transient" as const),
  sequence,
});
const batch = record({
  shardId: whole,
  batchId: whole,
  timeMs: whole,
  recordCount: fc.nat(65_536),
  compression: fc.nat(2),
  payload: fc.uint8Array({ maxLength: 300 }),
});
const control = fc.oneof(
  fc.constantFrom({ kind: "create" as const }, { kind: "delete" as const }),
  record({ kind: fc.constant("open" as const), fence: whole }),
  record({ kind: fc.constant("trim" as const), upTo: whole }),
  record({ kind: fc.constant("hold" as const), name: fc.string({ unit: "binary" }), from: whole }),
  record({
    kind: fc.constantFrom("release" as const, "forget" as const),
    name: fc.string({ unit: "binary" }),
  }),
);

describe("frames", () => {
  it("give back every batch, from memory as from the disk", () => {
    fc.assert(
      fc.property(
        batch,
        whole,
        fc.option(producer, { nil: undefined }),
        fc.nat(100),
        (stored, previous, by, at) => {
          const length = batchFrameBytes(stored.payload.byteLength, by);
          const buffer = frameBuffer(at + length);
          const { shardId: shard, batchId: id, timeMs: time } = stored;
          assert.equal(encodeBatch(buffer, at, at, 7, shard, id, previous, time, stored, by), length);
          const recent = recentBatch(buffer, at);
          assert.deepEqual({ ...recent, payload: Uint8Array.from(recent.payload) }, stored);
          const frame = decodeFrame(buffer.bytes, at, at);
          assert.ok(typeof frame !== "string");
          const { shardId, batchId, timeMs, recordCount, compression, payload } = frame;
          const decoded = {
            shardId,
            batchId,
            timeMs,
            recordCount,
            compression,
            payload: Uint8Array.from(payload),
          };
          assert.deepEqual(decoded, stored);
          assert.deepEqual(frame.producer, by);
          assert.equal(frame.previousId, previous);
          assert.equal(frame.kind, "batch");
        },
      ),
    );
  });

  it("give back every control", () => {
    fc.assert(
      fc.property(control, whole, (asked, shardId) => {
        const payload = encodeControlPayload(asked);
        const buffer = frameBuffer(72 + payload.byteLength);
        encodeControl(buffer, 0, 0, 0, asked.kind, shardId, 5, payload);
        const frame = decodeFrame(buffer.bytes, 0, 0);
        assert.ok(typeof frame !== "string");
        assert.deepEqual(decodeControl(frame), asked);
        assert.equal(frame.shardId, shardId);
      }),
    );
  });

  it("are refused with any bit flipped, cut short, or in another place", () => {
    fc.assert(
      fc.property(batch, fc.option(producer, { nil: undefined }), fc.nat(), (stored, by, noise) => {
        const length = batchFrameBytes(stored.payload.byteLength, by);
        const { bytes, view } = frameBuffer(length + 50);
        bytes.fill(0);
        const { shardId, batchId, timeMs } = stored;
        encodeBatch({ bytes, view }, 0, 640, 64, shardId, batchId, 0, timeMs, stored, by);
        assert.ok(typeof decodeFrame(bytes, 0, 640) !== "string");
        assert.equal(typeof decodeFrame(bytes, 0, 641), "string");
        assert.equal(typeof decodeFrame(bytes.subarray(0, noise % length), 0, 640), "string");
        const bit = noise % (length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(typeof decodeFrame(bytes, 0, 640), "string");
      }),
    );
  });
});

describe("segments and their footers", () => {
  const segmentHeader = record({
    number: whole,
    epoch: whole,
    createdAtMs: whole,
    firstNumber: whole,
    sorted: fc.boolean(),
  });

  it("give back their header, and refuse one with a bit flipped", () => {
    fc.assert(
      fc.property(segmentHeader, fc.nat(64 * 8 - 1), (header, bit) => {
        const bytes = Buffer.from(encodeHeader(header));
        assert.deepEqual(decodeHeader(bytes), header);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(typeof decodeHeader(bytes), "string");
      }),
    );
  });

  it("give back the state of the log", () => {
    const name = fc.string({ unit: "binary", maxLength: 20 });
    const shard = record({
      id: whole,
      fence: whole,
      tail: whole,
      tailTimeMs: whole,
      trimmedUpTo: whole,
      holds: fc.dictionary(name, whole, { maxKeys: 3 }),
      producers: fc.array(record({ producer, batchId: whole, timeMs: whole }), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(fc.array(shard, { maxLength: 5 }), fc.array(whole), (models, deleted) => {
        const shards = new Shards();
        for (const model of models) {
          const made = new Shard(model.id);
          made.fence = model.fence;
          made.advance(model.tail, model.tailTimeMs);
          made.trimmedUpTo = model.trimmedUpTo;
          made.holds = new Map(Object.entries(model.holds));
          made.producers = new ProducerTable();
          for (const { producer: by, batchId: id, timeMs } of model.producers) {
            made.producers.settle(by.id, made.producers.record(by, id, timeMs));
          }
          shards.present.set(made.id, made);
        }
        for (const id of deleted) shards.deleted.add(id);
        const bytes = encodeState(shards);
        const decoded = decodeState(bytes);
        assert.ok(Buffer.from(encodeState(decoded)).equals(bytes));
        for (const { id, fence, tail, trimmedUpTo, holds, producers } of shards.present.values()) {
          const again = decoded.present.get(id);
          assert.deepEqual([again?.fence, again?.tail, again?.trimmedUpTo], [fence, tail, trimmedUpTo]);
          assert.deepEqual(again?.holds ?? new Map(), holds);
          assert.deepEqual(again?.producers?.durableStates() ?? [], producers?.durableStates());
        }
        assert.deepEqual(decoded.deleted, shards.deleted);
      }),
    );
  });

  it("give back the index of a shard, and find by id and by time", () => {
    const step = record({
      id: fc.integer({ min: 1, max: 9 }),
      time: fc.nat(3),
      length: fc.nat(2 ** 32 - 1),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(300), (steps, wanted) => {
        const index = new ShardIndex();
        const packer = new IndexPacker();
        const ids: number[] = [];
        const times: number[] = [];
        for (const { id, time, length } of steps) {
          ids.push((ids.at(-1) ?? 0) + id);
          times.push((times.at(-1) ?? 0) + time);
          const [batchId, timeMs] = [ids.at(-1) ?? 0, times.at(-1) ?? 0];
          index.push(batchId, timeMs, ids.length, length);
          packer.add(1, batchId, ids.at(-2) ?? 0, timeMs, ids.length, length);
        }
        const decoded = ShardIndex.decode(packer.pack(0).indexes);
        for (const checked of [index, decoded]) {
          assert.equal(checked.count, steps.length);
          const position = (found: number) => (found < 0 ? steps.length : found);
          assert.equal(checked.seekId(wanted), position(ids.findIndex((id) => id >= wanted)));
          assert.equal(checked.seekTime(wanted), position(times.findIndex((time) => time >= wanted)));
          for (const [i, { length }] of steps.entries()) {
            assert.deepEqual(checked.entry(i), { batchId: ids[i], timeMs: times[i], offset: i + 1, length });
          }
        }
      }),
    );
  });
});

describe("batch ids", () => {
  it("have 16 digits, rise within and over epochs, and tell their epoch", () => {
    fc.assert(
      fc.property(fc.nat(1_800_000), fc.nat(2 ** 32 - 1), (epoch, n) => {
        const id = batchId(epoch, n);
        assert.ok(Number.isSafeInteger(id) && String(id).length === 16);
        assert.equal(epochOf(id), epoch);
        assert.ok(id < new BatchIds(epoch + 1).next());
      }),
    );
    const ids = new BatchIds(3);
    assert.equal(ids.next() + 1, ids.next());
  });
});

describe("the memory of the newest frames", () => {
  /** An append that is not done yet. */
  interface Waiting {
    readonly batch: StoredBatch;
    readonly chunk: ReturnType<FrameMemory["chunkFor"]>;
    readonly at: number;
  }

  it("keeps what waits for the disk, and of the rest no more than it may; and gives what it gives right", () => {
    const sizes = fc.array(record({ gap: fc.nat(3), bytes: fc.nat(400), isDurable: fc.boolean() }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(fc.nat(300), fc.nat(5000), sizes, fc.nat(200), (chunkBytes, keptMax, adds, jumpAt) => {
        const memory = new FrameMemory(chunkBytes, keptMax);
        const waiting: Waiting[] = [];
        const shown = new Map<BatchId, StoredBatch>();
        let id = batchId(1, 0);
        for (const [i, { gap, bytes, isDurable }] of adds.entries()) {
          id = i === jumpAt ? batchId(2, 0) : id + 1 + gap;
          const batch = {
            shardId: 1,
            batchId: id,
            timeMs: i,
            recordCount: 1,
            compression: 0,
            payload: new Uint8Array(bytes).fill(i),
          };
          const length = batchFrameBytes(bytes, undefined);
          const chunk = memory.chunkFor(length);
          const at = chunk.used;
          chunk.groups++;
          chunk.used += length;
          encodeBatch(chunk, at, 0, 0, 1, id, 0, i, batch, undefined);
          waiting.push({ batch, chunk, at });
          if (!isDurable) continue;
          for (const done of waiting.splice(0)) {
            assert.deepEqual(plain(recentBatch(done.chunk, done.at)), done.batch);
            memory.show(done.batch.batchId, done.chunk, done.at);
            shown.set(done.batch.batchId, done.batch);
            done.chunk.groups--;
          }
          memory.trim();
          assert.ok(memory.filledBytes <= keptMax);
          assert.equal(memory.has(id), keptMax > 0);
        }
        for (const [known, batch] of shown) {
          const got = memory.get(known);
          assert.equal(got !== undefined, memory.has(known));
          if (got !== undefined) assert.deepEqual(plain(got), batch);
        }
      }),
    );
  });

  const plain = (batch: StoredBatch) => ({ ...batch, payload: Uint8Array.from(batch.payload) });
});
