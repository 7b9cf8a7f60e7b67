import assert from "node:assert/strict";
import { Rates } from "./rates.js";
import { planLines } from "./running-plan.js";

describe("the plan of a running query", () => {
  const operators = (counted: number) => [
    {
      operator_id: "1",
      operator: "source",
      output_to: "2",
      rows_in: String(counted),
      rows_out: String(counted),
    },
    { operator_id: "3", operator: "aggregate", rows_in: String(counted / 2), rows_out: "7", busy_ms: "1500" },
    {
      operator_id: "2",
      operator: "filter",
      output_to: "3",
      rows_in: String(counted),
      rows_out: String(counted / 2),
    },
  ];

  it("is a tree with the output at the top, and rates from the second look on", () => {
    const rates = new Rates();
    planLines(operators(0), rates, 0, 100);
    const lines = planLines(operators(1_000), rates, 500, 100);
    assert.deepEqual(
      lines.slice(2).map((line) => line.split("│").map((cell) => cell.trim())),
      [
        ["aggregate #3", "1000", "0", "7", "1.5 s", ""],
        ["└─ filter #2", "2000", "1000", "500", "", ""],
        ["└─ source #1", "2000", "2000", "1000", "", ""],
      ],
    );
    assert.match(lines.at(-1) ?? "", /^ {4}└─ source/);
  });

  it("begins anew with a counter that went back", () => {
    const rates = new Rates();
    rates.tell("x", 100, 0);
    assert.equal(rates.tell("x", 5, 1_000), 0);
    assert.equal(rates.tell("x", 25, 2_000), 20);
    assert.deepEqual(rates.past("x"), [0, 20]);
  });
});
