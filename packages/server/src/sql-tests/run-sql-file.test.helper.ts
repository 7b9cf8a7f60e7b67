import assert from "node:assert/strict";
import { type ColumnDef, type HInputObject, must, RowBatch } from "@hstream/proto";
import {
  bindStatement,
  type BoundQuery,
  type BoundStatement,
  type Catalog,
  explain,
  fromJson,
  optimise,
  parseScript,
  type PhysicalPlan,
  type Relation,
  renderDiagnostic,
  type SqlValue,
  toPhysical,
  toStoredJson,
} from "@hstream/sql";
import { hrecord, recordBatch } from "../executor/plans.test.helper.js";
import {
  type Change,
  decodeOutput,
  encodeRows,
  folded,
  outputOf,
  pieces,
  Run,
} from "../executor/run.test.helper.js";
import type { StepInput, StepReport } from "../executor/step-input.js";
import type { Block, Case } from "./sql-file.test.helper.js";

/** One line of a `feed` block. */
interface Fed {
  readonly kind: "record";
  readonly relation: string;
  readonly fields: HInputObject & { readonly [name: string]: unknown };
  readonly weight: 1 | -1;
  readonly at: number;
  readonly shard: number;
}

/** One line of a `time` block. */
type Told =
  | { readonly kind: "shards"; readonly relation: string; readonly shards: readonly number[] }
  | { readonly kind: "watermark"; readonly relation: string; readonly shard: number; readonly timeMs: number }
  | { readonly kind: "idle"; readonly relation: string; readonly shard: number; readonly elapsedMs: number }
  | { readonly kind: "clock"; readonly nowMs: number };

/** How the input is cut: record by record, all at once, and otherwise. */
export interface Cut {
  readonly sizes: readonly number[];
  readonly stepRowsMax: number;
  /** Whether the query is saved and goes on elsewhere after each piece. */
  readonly reopens?: boolean;
}

const deletion = new Map([["hstream.op", "delete"]]);

/** Runs the blocks of a file in order. */
export class SqlFileRunner implements Catalog {
  readonly #relations = new Map<string, Relation>();
  readonly #fed: (Fed | Told)[] = [];
  readonly #cuts: readonly Cut[];

  constructor(cuts: readonly Cut[]) {
    this.#cuts = cuts;
  }

  relation(name: string): Relation | undefined {
    return this.#relations.get(name);
  }

  relationNames(): readonly string[] {
    return [...this.#relations.keys()];
  }

  /** Takes in what is no case. */
  prepare(block: Exclude<Block, Case>): void {
    switch (block.kind) {
      case "comment":
        return;
      case "create":
        this.#create(block.sql, block.deletions);
        return;
      case "feed":
        for (const line of block.lines) {
          const weight = line.startsWith("-") ? -1 : 1;
          const fields = JSON.parse(line.replace(/^[-+] /, "")) as Fed["fields"];
          const { relation, at, shard } = block;
          this.#fed.push({ kind: "record", relation, fields, weight, at, shard });
        }
        return;
      case "time":
        for (const line of block.lines) this.#fed.push(toldIn(line));
    }
  }

  /** What a case gives; in every batching the same. */
  run(one: Case): string {
    return this.#result(one).replaceAll(/\n+/g, "\n");
  }

  #result(one: Case): string {
    switch (one.kind) {
      case "error":
        return this.#errorsOf(one.sql);
      case "statement":
        return asked(this.#bound(one.sql));
      case "explain":
        return this.#explained(one.sql);
      case "query":
        return this.#same(one.sql, (query, cut) => this.#pull(query, cut));
      case "changes":
      case "folded": {
        this.#assertKeptAlike(this.#query(one.sql));
        return this.#same(one.sql, (query, cut) => this.#push(query, cut, one.kind === "folded"));
      }
    }
  }

  #same(sql: string, run: (query: BoundQuery, cut: Cut) => string): string {
    const query = this.#query(sql);
    const [first = "", ...others] = this.#cuts.map((cut) => run(query, cut));
    for (const [i, other] of others.entries()) {
      assert.equal(other, first, `in another batching (${JSON.stringify(this.#cuts[i + 1])})`);
    }
    return first;
  }

  #create(sql: string, deletions: boolean): void {
    const isView = /^create\s+view/i.test(sql);
    const bound = this.#bound(isView ? sql.replace(/view/i, "STREAM") : sql);
    assert(bound.kind === "create-stream", "a relation is declared as a stream is");
    const { name, columns, timestampColumn, latenessMs } = bound;
    const kind = isView ? "view" : "stream";
    const time = {
      ...(timestampColumn === undefined ? {} : { timeColumn: timestampColumn }),
      ...(latenessMs === undefined ? {} : { latenessMs }),
    };
    const appendOnly = !isView && !deletions;
    this.#relations.set(name, { kind, id: name, name, columns, open: !isView, appendOnly, ...time });
  }

  #bound(sql: string): BoundStatement {
    const { statements, diagnostics } = parseScript(sql);
    const result =
      diagnostics.length > 0 ? undefined : bindStatement(must(statements[0], "a statement"), this);
    const errors = [...diagnostics, ...(result?.diagnostics ?? [])].filter(
      ({ severity }) => severity === "error",
    );
    assert.equal(errors.map((error) => renderDiagnostic(sql, error)).join("\n"), "");
    return must(result?.bound, "a statement without errors is bound");
  }

  #query(sql: string): BoundQuery {
    const bound = this.#bound(sql);
    assert(bound.kind === "query", "a case is a SELECT");
    return bound.query;
  }

  #explained(sql: string): string {
    const bound = this.#bound(sql);
    assert(bound.kind === "explain", "an explain case is an EXPLAIN");
    return explain(bound.statement, bound.format);
  }

  #errorsOf(sql: string): string {
    const { statements, diagnostics } = parseScript(sql);
    const found = [...diagnostics];
    for (const statement of statements) found.push(...bindStatement(statement, this).diagnostics);
    assert.ok(found.length > 0, "the statement has an error");
    return found.map((finding) => renderDiagnostic(sql, finding)).join("\n");
  }

  #pull(query: BoundQuery, cut: Cut): string {
    const plan = toPhysical(optimise(query));
    const run = new Run(plan, { kind: "emit" }, cut.stepRowsMax);
    for (const piece of pieces(this.#present(), cut.sizes)) run.feed(this.#inputs(plan, piece));
    run.end();
    const { columns, changes } = answerOf(plan, run.reports);
    return printed(columns, changes, run.reports, false);
  }

  /** What is there after all that was fed: a pull sees no deletions but those of streams. */
  #present(): Fed[] {
    const present: Fed[] = [];
    const same = (a: Fed, b: Fed): boolean =>
      a.relation === b.relation && JSON.stringify(a.fields) === JSON.stringify(b.fields);
    for (const one of this.#fed) {
      if (one.kind !== "record") continue;
      if (one.weight > 0 || this.relation(one.relation)?.kind === "stream") present.push(one);
      else
        present.splice(
          present.findIndex((other) => same(one, other)),
          1,
        );
    }
    return present;
  }

  #push(query: BoundQuery, cut: Cut, isFolded: boolean): string {
    const plan = toPhysical(optimise(query));
    const run = new Run(plan, { kind: "emit" }, cut.stepRowsMax);
    run.feed([]);
    this.#feedAll(run, plan, cut);
    const { columns, changes } = answerOf(plan, run.reports);
    if (!isFolded) return printed(columns, changes, run.reports, true);
    return printed(columns, foldedChanges(changes), run.reports, false);
  }

  /** Cut into pieces, and where the clock goes on. */
  #feedAll(run: Run, plan: PhysicalPlan, cut: Cut): void {
    let nowMs = 0;
    for (const piece of pieces(this.#fed, cut.sizes)) {
      let list: (Fed | Told)[] = [];
      for (const one of piece) {
        if (one.kind !== "clock") {
          list.push(one);
          continue;
        }
        run.feed(this.#inputs(plan, list), nowMs);
        list = [];
        nowMs = one.nowMs;
        run.feed([], nowMs);
      }
      run.feed(this.#inputs(plan, list), nowMs);
      // A reader that comes anew is told the fields of records anew.
      if (cut.reopens === true && !plan.output.some(({ spread }) => spread)) run.reopen();
    }
  }

  /** As a view, the rows that are kept are those of the folded changes. */
  #assertKeptAlike(query: BoundQuery): void {
    if (query.emitLimit !== undefined || query.output.some(({ spread }) => spread)) return;
    const pushed = toPhysical(optimise({ ...query, emit: { kind: "retractions" } }));
    const kept = toPhysical(optimise({ ...query, emit: { kind: "coalesced" } }));
    for (const cut of this.#cuts) {
      const push = new Run(pushed, { kind: "emit" }, cut.stepRowsMax);
      const view = new Run(kept, { kind: "materialize" }, cut.stepRowsMax);
      for (const [run, plan] of [[push, pushed] as const, [view, kept] as const]) {
        run.feed([]);
        this.#feedAll(run, plan, cut);
      }
      const width = query.output.length;
      assert.deepEqual(
        folded(decodeOutput(view.snapshot().batches, width)),
        folded(decodeOutput(outputOf(push.reports), width)),
      );
    }
  }

  /** The inputs of the plan's sources; neighbours of one source, shard and time are one input. */
  #inputs(plan: PhysicalPlan, piece: readonly (Fed | Told)[]): StepInput[] {
    const inputs: ({ source: number; list: Fed[] } | Exclude<StepInput, { kind: "records" | "rows" }>)[] = [];
    for (const one of piece) {
      for (const [source, { id }] of plan.sources.entries()) {
        if (one.kind === "clock" || id !== one.relation) continue;
        if (one.kind !== "record") {
          const { relation: _, ...told } = one;
          inputs.push({ ...told, source });
          continue;
        }
        const last = inputs.at(-1);
        const [first] = last !== undefined && "list" in last && last.source === source ? last.list : [];
        if (last !== undefined && "list" in last && first?.at === one.at && first.shard === one.shard)
          last.list.push(one);
        else inputs.push({ source, list: [one] });
      }
    }
    return inputs.map((input): StepInput => {
      if (!("list" in input)) return input;
      const { source, list } = input;
      const relation = must(this.#relations.get(plan.sources[source]?.id ?? ""), "a source is a relation");
      if (relation.kind === "stream") {
        const { at: timeMs = 0, shard = 1 } = list[0] ?? {};
        const records = list.map(({ fields, weight }) => {
          return weight > 0 ? hrecord(fields) : { ...hrecord(fields), attributes: deletion };
        });
        const batch = recordBatch(records, { timeMs });
        return { kind: "records", source, shard, batches: [batch] };
      }
      const changes = list.map(
        ({ fields, weight }): Change => ({
          weight,
          row: relation.columns.map(({ name }) => fromJson(fields[name] ?? null)),
        }),
      );
      return { kind: "rows", source, batches: encodeRows(changes, relation.columns.length) };
    });
  }
}

function toldIn(line: string): Told {
  const [what, name = "", ...rest] = line.split(" ");
  const numbers = rest.map(Number);
  const [first = 1, second = 1] = numbers;
  switch (what) {
    case "shards":
      return { kind: what, relation: name, shards: numbers };
    case "watermark":
      return { kind: what, relation: name, timeMs: first, shard: second };
    case "idle":
      return { kind: what, relation: name, shard: first, elapsedMs: numbers[1] ?? 0 };
    case "clock":
      return { kind: what, nowMs: Number(name) };
    default:
      throw new Error(`${line} tells no time`);
  }
}

/** What the changes come to: the last state of each row by its text, sorted. */
function foldedChanges(changes: readonly Change[]): Change[] {
  const rows = new Map<string, { readonly row: Change["row"]; count: number }>();
  for (const { row, weight } of changes) {
    const key = row.map(printedValue).join(" | ");
    const known = rows.get(key) ?? { row, count: 0 };
    known.count += weight;
    rows.set(key, known);
  }
  return [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, { row, count }]) => new Array<Change>(Math.max(0, count)).fill({ row, weight: 1 }));
}

function answerOf(
  plan: PhysicalPlan,
  reports: readonly StepReport[],
): { columns: string[]; changes: Change[] } {
  const output = outputOf(reports);
  const added: ColumnDef[] = output.flatMap((bytes) => RowBatch.decode(bytes).addedColumns);
  const columns = [...plan.output.filter(({ spread }) => !spread), ...added].map(({ name }) => name);
  return { columns, changes: decodeOutput(output, columns.length) };
}

/** Column names, rows (with signs, if pushed), and the expression errors. */
function printed(
  columns: readonly string[],
  changes: readonly Change[],
  reports: readonly StepReport[],
  signs: boolean,
): string {
  const lines = [columns.join(" | ")];
  for (const { row, weight } of changes) {
    lines.push(`${signs ? (weight > 0 ? "+ " : "- ") : ""}${row.map(printedValue).join(" | ")}`);
  }
  const errors = reports.reduce((count, report) => count + report.errors.count, 0);
  // The first few of each step are kept, in an order that depends on the batches.
  const messages = new Set(reports.flatMap((report) => report.errors.first.map(({ message }) => message)));
  const count = errors === 1 ? "1 error" : `${errors} errors`;
  if (errors > 0) lines.push(`! ${count}: ${[...messages].sort().join("; ")}`);
  for (const reason of ["late", "no-time", "deletion"] as const) {
    const diverted = reports.reduce((sum, { divertedBy }) => sum + (divertedBy[reason] ?? 0), 0);
    if (diverted > 0) lines.push(`! ${reason}: ${diverted}`);
  }
  return lines.join("\n");
}

/** What a statement asks for: the records of an INSERT, else the statement as data. */
function asked(statement: BoundStatement): string {
  if (statement.kind === "insert") {
    const rows = statement.rows.map((row) =>
      row.kind === "raw" ? `raw ${Buffer.from(row.bytes).toString("utf8")}` : toStoredJson(row.fields),
    );
    return [`into ${statement.stream.name}`, ...rows].join("\n");
  }
  return JSON.stringify(statement, (key, value: unknown) => {
    if (value instanceof Map) return Object.fromEntries(value as ReadonlyMap<string, unknown>);
    if (typeof value !== "object" || value === null) return value;
    if (key === "stream" || key === "relation") return (value as Relation).name;
    if (key !== "query") return value;
    const { output, emit, start, startAtMs, sources } = value as BoundQuery;
    return {
      columns: output.map(({ name }) => name),
      emit: emit.kind,
      from: startAtMs ?? start,
      sources: sources.map(({ name }) => name),
    };
  });
}

function printedValue(value: SqlValue): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return `'${value}'`;
  return toStoredJson(value);
}
