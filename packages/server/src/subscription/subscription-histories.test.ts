import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { SubscriptionModel } from "./subscription-model.test.helper.js";

const ackTimeoutMs = 1_000;

type Event =
  | { readonly kind: "append"; readonly shard: number; readonly records: number }
  | { readonly kind: "join" | "save" | "save-fails" | "restart" | "crash" }
  | { readonly kind: "leave" | "busy" | "free" | "step" | "fail" | "ack"; readonly which: number }
  | { readonly kind: "nack"; readonly which: number; readonly delayMs: number }
  | { readonly kind: "seek"; readonly which: number }
  | { readonly kind: "trim"; readonly shard: number }
  | { readonly kind: "pass"; readonly ms: number };

const which = fc.nat({ max: 50 });
const of = <Kind extends string>(weight: number, ...kinds: Kind[]) => ({
  weight,
  arbitrary: fc.record({ kind: fc.constantFrom(...kinds), which }),
});
const bare = <Kind extends string>(weight: number, ...kinds: Kind[]) => ({
  weight,
  arbitrary: fc.record({ kind: fc.constantFrom(...kinds) }),
});

const event = (withTrims: boolean): fc.Arbitrary<Event> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        shard: which,
        records: fc.integer({ min: 1, max: 4 }),
      }),
    },
    bare(2, "join"),
    of(1, "leave"),
    of(1, "busy", "free"),
    of(12, "step"),
    of(1, "fail"),
    of(10, "ack"),
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("nack" as const),
        which,
        delayMs: fc.constantFrom(0, 10, 500, 2_000),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 1_500 }) }),
    },
    bare(1, "save", "save-fails", "restart", "crash"),
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("seek" as const), which }) },
    ...(withTrims
      ? [{ weight: 1, arbitrary: fc.record({ kind: fc.constant("trim" as const), shard: which }) }]
      : []),
  );

function apply(model: SubscriptionModel, happened: Event): void {
  const shardOf = (n: number) => 1 + (n % model.log.size);
  const oneOf = <T>(list: readonly T[], n: number) => list[n % Math.max(1, list.length)];
  switch (happened.kind) {
    case "append":
      return model.append(shardOf(happened.shard), happened.records);
    case "join":
      return model.join();
    case "restart":
      return model.restart();
    case "crash":
      return model.crash();
    case "save":
      return model.save();
    case "save-fails":
      return model.failToSave();
    case "pass":
      return model.pass(happened.ms);
    case "step":
      return void model.step(happened.which);
    case "fail":
      return void model.step(happened.which, true);
    case "ack": {
      const key = oneOf(model.sent, happened.which);
      return key === undefined ? undefined : model.ack(key);
    }
    case "nack": {
      const key = oneOf(model.sent, happened.which);
      return key === undefined ? undefined : model.nack(key, happened.delayMs);
    }
    case "seek":
      return model.seek(
        (batches) => oneOf([0, ...batches.map(({ batchId }) => batchId)], happened.which) ?? 0,
      );
    case "trim": {
      const shardId = shardOf(happened.shard);
      const [first] = model.kept(shardId);
      return first === undefined ? undefined : model.trim(shardId, first.batchId);
    }
    default: {
      const consumer = oneOf([...model.consumers.keys()], happened.which);
      if (consumer === undefined) return;
      if (happened.kind === "leave") model.leave(consumer);
      else model.setReady(consumer, happened.kind === "free");
    }
  }
}

describe("subscription state, random histories", () => {
  for (const policy of ["key-ordered", "round-robin"] as const) {
    for (const withTrims of [false, true]) {
      it(`keeps its laws: ${policy}${withTrims ? ", with trims" : ""}`, () => {
        fc.assert(
          fc.property(
            fc.integer({ min: 1, max: 4 }),
            fc.integer({ min: 1, max: 12 }),
            fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
            fc.array(event(withTrims), { maxLength: 120, size: "max" }),
            (shards, maxUnackedRecords, deliveriesMax, events) => {
              const limit = deliveriesMax === undefined ? {} : { deliveriesMax };
              const settings = { policy, ackTimeoutMs, maxUnackedRecords, ...limit };
              const model = new SubscriptionModel(shards, settings);
              for (const each of events) apply(model, each);
              model.finish();
            },
          ),
          // 10,000 histories in all.
          { numRuns: runs(2_500) },
        );
      });
    }
  }
});

describe("subscription state, kills in the middle of a hand-over", () => {
  /** Two consumers come one after the other, take from two shards, ack, fall silent, leave and come again. */
  const script: readonly Event[] = [
    { kind: "append", shard: 0, records: 3 },
    { kind: "append", shard: 1, records: 2 },
    { kind: "join" },
    { kind: "step", which: 0 },
    { kind: "append", shard: 0, records: 1 },
    { kind: "append", shard: 1, records: 4 },
    { kind: "step", which: 0 },
    { kind: "ack", which: 0 },
    { kind: "save" },
    { kind: "join" },
    { kind: "ack", which: 3 },
    { kind: "step", which: 1 },
    { kind: "nack", which: 1, delayMs: 10 },
    { kind: "pass", ms: ackTimeoutMs },
    { kind: "step", which: 0 },
    { kind: "busy", which: 1 },
    { kind: "append", shard: 0, records: 2 },
    { kind: "step", which: 0 },
    { kind: "free", which: 1 },
    { kind: "step", which: 0 },
    { kind: "leave", which: 0 },
    { kind: "step", which: 0 },
    { kind: "join" },
    { kind: "step", which: 1 },
    { kind: "ack", which: 5 },
    { kind: "pass", ms: ackTimeoutMs },
    { kind: "step", which: 0 },
  ];
  const kills: { readonly [what: string]: readonly Event[] } = {
    "the first consumer": [{ kind: "leave", which: 0 }],
    "the last consumer": [{ kind: "leave", which: 1 }],
    "all consumers": [
      { kind: "leave", which: 0 },
      { kind: "leave", which: 0 },
    ],
    "the server": [{ kind: "crash" }, { kind: "join" }, { kind: "join" }],
    "a consumer, then the server": [{ kind: "leave", which: 0 }, { kind: "crash" }, { kind: "join" }],
  };

  for (const policy of ["key-ordered", "round-robin"] as const) {
    for (const [what, events] of Object.entries(kills)) {
      it(`loses nothing at any step of a hand-over, killed: ${what}, ${policy}`, () => {
        for (let place = 0; place <= script.length; place++) {
          const model = new SubscriptionModel(2, { policy, ackTimeoutMs, maxUnackedRecords: 8 });
          for (const each of [...script.slice(0, place), ...events, ...script.slice(place)])
            apply(model, each);
          model.finish();
        }
      });
    }
  }
});
