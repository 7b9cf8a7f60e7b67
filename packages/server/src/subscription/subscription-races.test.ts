import assert from "node:assert/strict";
import { encodeRecordBatch, loadInflate } from "@hstream/proto";
import { runs } from "@hstream/proto/testing";
import fc from "fast-check";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import { MemoryLog } from "../log/memory-log.js";
import { MemoryMeta } from "../meta/memory-meta.js";
import type { Delivery } from "../streams/delivery.js";
import { StreamAppender } from "../streams/stream-appender.js";
import { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { Attachment } from "./subscription-driver.js";
import { SubscriptionService } from "./subscription-service.js";

const inflate = await loadInflate(limits.inflatedBytesMax);

/** Acks what it gets; leaves or not. */
class Member {
  readonly uri = "";
  readonly userAgent = "";
  readonly name: string;
  readonly received = new Set<number>();
  attachment: Attachment | undefined;
  state: "coming" | "refused" | "there" | "ended" | "left" = "coming";
  /** What came before its place in the subscription was known to it. */
  #early: Delivery[] = [];

  constructor(name: string) {
    this.name = name;
  }

  async come(subscriptions: SubscriptionService): Promise<void> {
    try {
      this.attachment = await subscriptions.attach("sub", this);
      // It may have been ended before it was told that it is there.
      if (this.state === "coming") this.state = "there";
      for (const delivery of this.#early.splice(0)) this.#ack(delivery);
    } catch (error) {
      this.state = "refused";
      throw error;
    }
  }

  leave(): void {
    if (this.state !== "there") return;
    this.state = "left";
    this.attachment?.detach();
  }

  deliver(delivery: Delivery): boolean {
    assert.ok(this.state === "there" || this.state === "coming", `a delivery to one that ${this.state}`);
    this.received.add(delivery.batchId);
    if (this.attachment === undefined) this.#early.push(delivery);
    else this.#ack(delivery);
    return true;
  }

  end(): void {
    assert.ok(this.state === "there" || this.state === "coming", `the end of one that ${this.state}`);
    this.state = "ended";
  }

  #ack({ shardId, batchId, indexes }: Delivery): void {
    this.attachment?.ackRuns([{ shardId, batchId, indexes }]);
  }
}

type Event =
  | { readonly kind: "come" | "append" | "delete" | "create" | "seek" | "stay" | "turn" | "settle" }
  | { readonly kind: "leave"; readonly which: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("come" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("append" as const, "seek" as const, "stay" as const, "turn" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("delete" as const, "create" as const, "settle" as const) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat(20) }) },
);

describe("subscription service, calls at the same time", () => {
  for (const defaultDispatch of ["key-ordered", "round-robin"] as const) {
    it(`leaves no consumer behind, and none without its records: ${defaultDispatch}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
          const env = new SimulatedEnv();
          const log = new MemoryLog(env.clock);
          const meta = new MemoryMeta(env.clock);
          const reports: string[] = [];
          const report = (where: string, error: unknown) => void reports.push(`${where}: ${String(error)}`);
          const streams = await StreamCatalogue.open(env, log, meta);
          const appender = new StreamAppender(env, streams, log, { recordBytesMax: limits.recordBytesMax });
          const deadLetter = () => Promise.reject(new Error("no dead letters are expected"));
          const tools = { env, log, inflate, report, deadLetter };
          const subscriptions = await SubscriptionService.open(tools, meta, streams, { defaultDispatch });
          await streams.create({ name: "s" });
          const create = () =>
            subscriptions.create({
              id: "sub",
              streamName: "s",
              ackTimeoutSeconds: 1,
              maxUnackedRecords: 1_000,
              offset: "earliest",
            });
          const batch = {
            recordCount: 1,
            compression: 0,
            payload: encodeRecordBatch([{ flag: 1, key: "", payload: Buffer.from("x") }]),
          };
          const members: Member[] = [];
          const calls: Promise<unknown>[] = [];
          /** What is refused is refused with a reason. */
          const start = (call: Promise<unknown>) =>
            calls.push(
              call.catch((error: unknown) => {
                if (!(error instanceof HStreamError) || error.kind === "Internal") throw error;
              }),
            );

          await create();
          for (const happened of events) {
            switch (happened.kind) {
              case "come": {
                const member = new Member(`c${members.length}`);
                members.push(member);
                start(member.come(subscriptions));
                break;
              }
              case "leave":
                members[happened.which % Math.max(1, members.length)]?.leave();
                break;
              case "append":
                start(appender.appendByKey("s", "", batch));
                break;
              case "seek":
                start(subscriptions.seek("sub", { kind: "earliest" }).catch(ignoreMissing));
                break;
              case "stay":
                // A move to nowhere else, which takes the fewest turns.
                start(
                  subscriptions.seek("sub", { kind: "records", batches: new Map() }).catch(ignoreMissing),
                );
                break;
              case "delete":
                start(subscriptions.exists("sub") ? subscriptions.delete("sub", { force: true }) : none());
                break;
              case "create":
                start(create());
                break;
              case "turn":
                await Promise.resolve();
                break;
              case "settle":
                await settle();
            }
          }
          await settle();
          await Promise.all(calls);
          const connected = subscriptions.exists("sub")
            ? subscriptions.consumers("sub").map(({ name }) => name)
            : [];
          const there = members.filter(({ state }) => state === "there").map(({ name }) => name);
          assert.deepEqual(connected.sort(), there.sort());

          // Whoever is there gets what is appended now.
          if (there.length > 0) {
            const { batchId } = await appender.appendByKey("s", "", batch);
            await settle();
            assert.ok(members.some(({ state, received }) => state === "there" && received.has(batchId)));
          }
          await subscriptions.close();
          assert.ok(members.every(({ state }) => state !== "there" && state !== "coming"));
          assert.deepEqual(reports, []);
        }),
        { numRuns: runs(300) },
      );
    });
  }
});

function none(): Promise<void> {
  return Promise.resolve();
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof HStreamError)) throw error;
}
