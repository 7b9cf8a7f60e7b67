import assert from "node:assert/strict";
import { SimulatedEnv } from "../env/simulated-env.js";
import { createNodeEnv } from "../env/node-env.js";
import type { SqlEvent } from "./sql-service.js";
import { AnswerBuilder, TestRoom } from "./test-room.js";

/** Real threads answer, so what is waited for is the query's own timer and not a number of turns. */
class Ticks {
  readonly world = new SimulatedEnv();
  #asleep: (() => void) | undefined;
  readonly env = {
    ...createNodeEnv(),
    clock: this.world.clock,
    timers: {
      after: (ms: number, callback: () => void) => createNodeEnv().timers.after(ms, callback),
      sleep: (ms: number, signal?: AbortSignal) => {
        const slept = this.world.timers.sleep(ms, signal);
        this.#asleep?.();
        return slept;
      },
    },
  };

  /** Resolves once the query has answered and waits for its next tick. */
  answered(): Promise<void> {
    return new Promise((resolve) => {
      this.#asleep = resolve;
    });
  }
}

/** Follows a statement and gives the rows of one answer after the other. */
class Follower {
  readonly #ticks: Ticks;
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;
  #builder: AnswerBuilder | undefined;

  constructor(room: TestRoom, ticks: Ticks, sql: string) {
    this.#ticks = ticks;
    this.#done = this.#read(room.events(sql, this.#stop.signal)).catch((error: unknown) => error);
  }

  async #read(events: AsyncIterable<SqlEvent>): Promise<void> {
    for await (const event of events) {
      if (event.kind === "header") this.#builder = new AnswerBuilder(event);
      else this.#builder?.take(event);
    }
  }

  async first(): Promise<unknown[]> {
    await this.#ticks.answered();
    return this.#rows();
  }

  async after(ms: number): Promise<unknown[]> {
    const answered = this.#ticks.answered();
    await this.#ticks.world.timers.advance(ms);
    await answered;
    return this.#rows();
  }

  /** What ended it. */
  async leave(reason = new Error("enough")): Promise<unknown> {
    this.#stop.abort(reason);
    return this.#done;
  }

  ended(): Promise<unknown> {
    return this.#done;
  }

  #rows(): unknown[] {
    return this.#builder?.rows.splice(0) ?? [];
  }
}

describe("a query over system tables with EMIT", () => {
  let room: TestRoom;
  let ticks: Ticks;
  beforeEach(async () => {
    ticks = new Ticks();
    room = await TestRoom.open(undefined, ticks.env);
    await room.run("CREATE STREAM a;");
  });
  afterEach(() => room.close());

  it("EVERY gives the whole answer at once, and then at each tick of the clock", async () => {
    const follower = new Follower(
      room,
      ticks,
      "SELECT stream_name, records FROM append_total ORDER BY stream_name EMIT EVERY INTERVAL 5 SECOND;",
    );
    assert.deepEqual(await follower.first(), [{ stream_name: "a", records: 0 }]);
    await room.run("CREATE STREAM b; INSERT INTO a (x) VALUES (1), (2);");
    const later = [
      { stream_name: "a", records: 2 },
      { stream_name: "b", records: 0 },
    ];
    assert.deepEqual(await follower.after(5_000), later);
    assert.deepEqual(await follower.after(5_000), later);
    assert.equal(String(await follower.leave()), "Error: enough");
  });

  it("CHANGES gives what came and what went, every second", async () => {
    const follower = new Follower(room, ticks, "SELECT name FROM streams EMIT CHANGES;");
    assert.deepEqual(await follower.first(), [{ name: "a" }]);
    assert.deepEqual(await follower.after(1_000), []);
    await room.run("CREATE STREAM b; DROP STREAM a;");
    assert.deepEqual(await follower.after(1_000), [{ name: "a", $op: "delete" }, { name: "b" }]);
    assert.deepEqual(await follower.after(1_000), []);
    await follower.leave();
  });

  it("tells equal rows apart by their number", async () => {
    await room.run("CREATE STREAM b; CREATE STREAM c;");
    const follower = new Follower(room, ticks, "SELECT kind FROM streams EMIT CHANGES;");
    assert.equal((await follower.first()).length, 3);
    await room.run("DROP STREAM b; DROP STREAM c;");
    assert.deepEqual(await follower.after(1_000), [
      { kind: "stream", $op: "delete" },
      { kind: "stream", $op: "delete" },
    ]);
    await follower.leave();
  });

  it("is joined with views", async () => {
    await room.run(
      "CREATE VIEW owners AS SELECT stream, MAX(owner) AS owner FROM a GROUP BY stream; INSERT INTO a (stream, owner) VALUES ('a', 'ann');",
    );
    const follower = new Follower(
      room,
      ticks,
      "SELECT s.name, o.owner FROM streams AS s JOIN owners AS o ON o.stream = s.name EMIT CHANGES;",
    );
    assert.deepEqual(await follower.first(), [{ name: "a", owner: "ann" }]);
    await room.run("INSERT INTO a (stream, owner) VALUES ('a', 'bob');");
    assert.deepEqual(await follower.after(1_000), [
      { name: "a", owner: "ann", $op: "delete" },
      { name: "a", owner: "bob" },
    ]);
    await follower.leave();
  });

  it("stands among the queries, and can be ended there", async () => {
    const follower = new Follower(room, ticks, "SELECT name FROM streams EMIT EVERY INTERVAL 1 SECOND;");
    await follower.first();
    await follower.after(1_000);
    const [query] = await room.rows("SELECT id, kind, rows_in, rows_out FROM queries;");
    assert.deepEqual({ ...query, id: "" }, { id: "", kind: "push", rows_in: 2, rows_out: 2 });
    await room.run(`TERMINATE QUERY ${String(query?.id)};`);
    assert.match(String(await follower.ended()), /terminated/);
    assert.deepEqual(await room.rows("SELECT id FROM queries;"), []);
  });
});
