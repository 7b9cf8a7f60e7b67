import { EmbeddedLog } from "../log/embedded-log.js";
import type { LogStore } from "../log/log-store.js";
import { EmbeddedMeta } from "../meta/embedded-meta.js";
import type { MetaStore } from "../meta/meta-store.js";
import { SimulatedEnv } from "../env/simulated-env.js";
import { ownStreamName } from "./query-document.js";
import { AnswerBuilder, TestRoom } from "./test-room.js";

/** A queries room on a disk of which the power may fail, with a clock that stands still until a test moves it. */
export class DurableWorld {
  readonly env: SimulatedEnv;
  #log: LogStore | undefined;
  #meta: MetaStore | undefined;
  #room: TestRoom | undefined;

  constructor(seed = 1) {
    this.env = new SimulatedEnv(seed);
  }

  get room(): TestRoom {
    if (this.#room === undefined) throw new Error("the world is not open");
    return this.#room;
  }

  async open(): Promise<TestRoom> {
    const log = await EmbeddedLog.start(this.env, "/data", { holder: "test" });
    const meta = await EmbeddedMeta.start(log, this.env);
    [this.#log, this.#meta] = [log, meta];
    this.#room = await TestRoom.open({ log, meta }, this.env);
    return this.#room;
  }

  /** The power fails at an operation of the disk to come, 0 being the next; resolves with whether it came to that. */
  async failingAt(operation: number, work: () => Promise<unknown>): Promise<boolean> {
    const { disk } = this.env;
    const at = disk.operations + operation;
    disk.faults = ({ count }) => (count === at ? "crash" : undefined);
    await work().catch(() => undefined);
    disk.faults = undefined;
    return disk.isDown;
  }

  /** The power fails, and comes back: what was not synced may be lost. */
  async kill(): Promise<TestRoom> {
    this.env.disk.crash(this.env.random);
    const [room, log, meta] = [this.#room, this.#log, this.#meta];
    // Its threads go; nothing that they do reaches the disk any more.
    await room?.close().catch(() => undefined);
    await meta?.close().catch(() => undefined);
    await log?.close().catch(() => undefined);
    return await this.open();
  }

  /** A clean stop and a start. */
  async restart(): Promise<TestRoom> {
    await this.close();
    return await this.open();
  }

  async close(): Promise<void> {
    await this.#room?.close();
    await this.#meta?.close();
    await this.#log?.close();
  }

  /** Lets second after second pass until something has come of it; the threads' work takes none of them. */
  async advanceUntil<T>(result: Promise<T>): Promise<T> {
    const state = { settled: false };
    const settle = () => {
      state.settled = true;
    };
    result.then(settle, settle);
    while (!state.settled) await this.env.timers.advance(1_000);
    return await result;
  }

  /** Lets time pass until the snapshots of all queries are due; resolves once those of `queries` are stored. */
  async snapshotsOf(...queries: readonly string[]): Promise<void> {
    const { log, streams } = this.room;
    const ids = await Promise.all(queries.map((query) => this.room.queryId(query)));
    const stored = ids.map((id) => {
      const [shardId = 0] = streams.get(ownStreamName(id)).shardIds;
      return new Promise<void>((resolve) => {
        const stop = log.watch(shardId, (tail) => {
          void log.read(shardId, tail, { batchesMax: 1, bytesMax: 1 }).then(({ batches }) => {
            if (batches[0]?.payload[0] !== endOfSnapshot) return;
            stop();
            resolve();
          });
        });
      });
    });
    await this.env.timers.advance(10_000);
    await Promise.all(stored);
  }
}

const endOfSnapshot = 3;

/** The rows that a push query gives until there are `count` of them; `meanwhile` runs once it has begun. */
export async function pushed(
  room: TestRoom,
  sql: string,
  count: number,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly Record<string, unknown>[]> {
  let answer: AnswerBuilder | undefined;
  for await (const event of room.events(sql)) {
    if (event.kind === "header") {
      answer = new AnswerBuilder(event);
      await meanwhile();
    } else if (answer?.take(event) === "rows" && answer.rows.length >= count) break;
  }
  return answer?.rows ?? [];
}
