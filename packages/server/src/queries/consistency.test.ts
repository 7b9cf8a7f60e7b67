import assert from "node:assert/strict";
import { Deferred } from "./deferred.js";
import { TestRoom } from "./test-room.js";

/** A sequence of numbers that is the same at every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state;
  }
}

describe("money transfers between accounts", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
  });
  afterEach(() => room.close());

  it("leave no cent too much or too little in any answer over several views", async function () {
    this.timeout(60_000);
    await room.run(`CREATE STREAM transfers WITH (SHARDS = 3);
      CREATE VIEW credits AS SELECT to_account AS account, SUM(amount) AS total FROM transfers GROUP BY to_account;
      CREATE VIEW debits AS SELECT from_account AS account, SUM(amount) AS total FROM transfers GROUP BY from_account;
      CREATE VIEW balances AS SELECT COALESCE(c.account, d.account) AS account,
          COALESCE(c.total, 0) - COALESCE(d.total, 0) AS balance
        FROM credits AS c FULL JOIN debits AS d ON c.account = d.account;`);
    let acknowledged = 0;
    const pulls = 50;
    let answered = new Deferred<undefined>();
    const answers = { pulls: 0, moving: 0 };
    const writer = async (seed: number): Promise<void> => {
      const random = numbers(seed);
      for (let i = 1; answers.pulls < pulls; i++) {
        const rows = Array.from({ length: 1 + (random.next().value % 4) }, () => {
          const [from, to, amount] = [random.next().value, random.next().value, random.next().value];
          return `('a${from % 20}', 'a${to % 20}', ${amount % 100})`;
        });
        await room.run(`INSERT INTO transfers (from_account, to_account, amount) VALUES ${rows.join(", ")};`);
        acknowledged += rows.length;
        // Transfers go on while answers are given, and do not run away from them.
        if (i % 3 === 0) await answered.promise;
      }
    };
    let before = -1;
    const reader = async (): Promise<void> => {
      while (answers.pulls < pulls) {
        const known = acknowledged;
        const [row] = await room.rows(`SELECT
          (SELECT SUM(total) FROM credits) AS credit, (SELECT SUM(total) FROM debits) AS debit,
          (SELECT SUM(balance) FROM balances) AS balance,
          (SELECT SUM(amount) FROM transfers) AS amount, (SELECT COUNT(*) FROM transfers) AS n;`);
        assert.equal(row?.["credit"], row?.["debit"]);
        assert.equal(row?.["credit"], row?.["amount"]);
        assert.ok(row?.["balance"] === 0 || row?.["balance"] === null, JSON.stringify(row));
        assert.ok(Number(row["n"]) >= known, "what was acknowledged before is in the answer");
        answers.pulls += 1;
        answered.resolve(undefined);
        answered = new Deferred();
        if (row["n"] !== before) answers.moving += 1;
        before = Number(row["n"]);
      }
    };
    await Promise.all([...[1, 2, 3].map(writer), reader(), reader()]);
    assert.ok(answers.moving > pulls / 2, "answers were given while money was moving");
  });
});
