import { nameIn, type Piece } from "./pieces.js";

/** A relation of FROM, and the name by which the statement calls it. */
export interface RelationUse {
  readonly name: string;
  readonly alias: string;
  /** What the statement itself says of its columns: of a subquery, a common table, a window. */
  readonly columns: readonly string[];
  /** Stored relations whose columns it has, all of them. */
  readonly all: readonly string[];
}

/** What the query around the cursor can refer to. */
export interface QueryScope {
  /** The innermost SELECT around the cursor, up to it. */
  readonly before: readonly Piece[];
  /** The relations of that SELECT, then those of the queries around it. */
  readonly uses: readonly RelationUse[];
  /** Names that WITH gives. */
  readonly commonTables: readonly string[];
}

/** A part of the tokens: from, up to and without to. */
interface Range {
  readonly from: number;
  readonly to: number;
}

const setOperations = ["UNION", "EXCEPT", "INTERSECT"];
const windows = ["TUMBLE", "TUMBLING", "HOP", "HOPPING", "SLIDE", "SLIDING", "SESSION"];
const windowColumns = ["window_start", "window_end"];
/** Queries within each other that are looked into. */
const depthMax = 50;

/** Finds the query that the token `at` is in, or would be; all tokens are those of one statement. */
export function queryScope(pieces: readonly Piece[], at: number): QueryScope {
  const reader = new ScopeReader(pieces);
  const around = reader.around(at);
  const commonTables = around.flatMap((range) => reader.commonTables(range));
  const parts = around.map((range) => reader.partAt(range, at));
  const inner = parts[0] ?? { from: 0, to: pieces.length };
  return {
    before: pieces.slice(inner.from, at),
    uses: parts.flatMap((part) => reader.uses(part, commonTables, 0)),
    commonTables: commonTables.map(({ name }) => name),
  };
}

class ScopeReader {
  readonly #pieces: readonly Piece[];
  /** The closing bracket of each opening one, as far as it is there. */
  readonly #closing = new Map<number, number>();

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    const open: number[] = [];
    for (const [index, { text }] of pieces.entries()) {
      if (text === "(") open.push(index);
      const opening = text === ")" ? open.pop() : undefined;
      if (opening !== undefined) this.#closing.set(opening, index);
    }
  }

  /** The queries around a token, the innermost first: those in brackets, then the statement's. */
  around(at: number): readonly Range[] {
    const ranges: Range[] = [];
    for (let index = Math.min(at, this.#pieces.length) - 1; index >= 0; index -= 1) {
      if (!this.#opensQuery(index)) continue;
      const to = this.#closing.get(index) ?? this.#pieces.length;
      if (to >= at && ranges.length < depthMax) ranges.push({ from: index + 1, to });
    }
    return [...ranges, { from: 0, to: this.#pieces.length }];
  }

  /** Of UNION and the like the part that the token is in. */
  partAt({ from, to }: Range, at: number): Range {
    let start = from;
    for (let index = from; index < to; index = this.#next(index)) {
      const text = this.#pieces[index]?.text ?? "";
      if (!setOperations.includes(text)) continue;
      if (index >= at) return { from: start, to: index };
      start = index;
    }
    return { from: start, to };
  }

  /** The tables that WITH names, with their columns. */
  commonTables({ from, to }: Range): readonly RelationUse[] {
    const found: RelationUse[] = [];
    if (this.#pieces[from]?.text !== "WITH") return found;
    for (let index = from + 1; index < to; ) {
      const name = nameIn(this.#pieces[index]);
      let next = index + 1;
      let given: readonly string[] | undefined;
      if (this.#pieces[next]?.text === "(") {
        const close = this.#closing.get(next) ?? to;
        given = this.#pieces.slice(next + 1, close).flatMap((one) => (one.text === "," ? [] : [nameIn(one)]));
        next = close + 1;
      }
      if (this.#pieces[next]?.text !== "AS" || this.#pieces[next + 1]?.text !== "(") break;
      const close = this.#closing.get(next + 1) ?? to;
      const query = this.#outputs({ from: next + 2, to: close }, found, 0);
      found.push({
        name,
        alias: name,
        columns: given ?? query.columns,
        all: given === undefined ? query.all : [],
      });
      if (this.#pieces[close + 1]?.text !== ",") break;
      index = close + 2;
    }
    return found;
  }

  /** The relations of one SELECT, without those of the queries within it. */
  uses(part: Range, commonTables: readonly RelationUse[], depth: number): readonly RelationUse[] {
    const uses: RelationUse[] = [];
    let inFrom = false;
    for (let index = part.from; index < part.to; index = this.#next(index)) {
      const text = this.#pieces[index]?.text ?? "";
      if (text === "FROM" || text === "JOIN" || text === "DESCRIBE" || (text === "," && inFrom)) {
        inFrom = true;
        uses.push(...this.#item(index + 1, part.to, commonTables, depth));
      } else if (["WHERE", "GROUP", "HAVING", "ORDER", "EMIT", "LIMIT", "ON"].includes(text)) inFrom = false;
    }
    return uses;
  }

  /** What FROM names at this token: nothing, one relation, or several in brackets. */
  #item(at: number, to: number, commonTables: readonly RelationUse[], depth: number): readonly RelationUse[] {
    const first = this.#pieces[at];
    if (first === undefined || at >= to || depth > depthMax) return [];
    if (first.text === "(") {
      const close = this.#closing.get(at) ?? to;
      if (!this.#opensQuery(at)) {
        const nested = this.#item(at + 1, close, commonTables, depth + 1);
        return [...nested, ...this.uses({ from: at + 1, to: close }, commonTables, depth + 1)];
      }
      const { columns, all } = this.#outputs({ from: at + 1, to: close }, commonTables, depth + 1);
      const alias = this.#aliasAt(close + 1, to) ?? "";
      return [{ name: "", alias, columns, all }];
    }
    if (windows.includes(first.text) && this.#pieces[at + 1]?.text === "(") {
      const close = this.#closing.get(at + 1) ?? to;
      const alias = this.#aliasAt(close + 1, to);
      return this.#item(at + 2, close, commonTables, depth + 1).map((use) => ({
        ...use,
        alias: alias ?? use.alias,
        columns: [...use.columns, ...windowColumns],
      }));
    }
    const { name, next } = this.#nameAt(at, to);
    if (name === "" || name === "EARLIEST" || name === "LATEST") return [];
    const alias = this.#aliasAt(next, to) ?? name;
    const common = commonTables.find((one) => one.name === name);
    return [common === undefined ? { name, alias, columns: [], all: [name] } : { ...common, alias }];
  }

  /** A name; a hyphen without blanks around it belongs to it. */
  #nameAt(at: number, to: number): { readonly name: string; readonly next: number } {
    let name = "";
    let next = at;
    let end = -1;
    for (let piece = this.#pieces[next]; piece !== undefined && next < to; piece = this.#pieces[++next]) {
      if (end >= 0 && (piece.start !== end || !(piece.raw === "-" || name.endsWith("-")))) break;
      if (end < 0 && !/^[\p{L}_"`]/u.test(piece.raw)) break;
      name += nameIn(piece);
      end = piece.end;
    }
    return { name, next };
  }

  #aliasAt(at: number, to: number): string | undefined {
    const place = this.#pieces[at]?.text === "AS" ? at + 1 : at;
    const piece = this.#pieces[place];
    return place < to && piece?.class === "name" ? nameIn(piece) : undefined;
  }

  /** The columns that a query answers with: those it names, and relations all of whose columns it takes. */
  #outputs(
    range: Range,
    outer: readonly RelationUse[],
    depth: number,
  ): { readonly columns: readonly string[]; readonly all: readonly string[] } {
    if (depth > depthMax) return { columns: [], all: [] };
    const commonTables = [...outer, ...this.commonTables(range)];
    const part = this.partAt(range, range.from);
    const columns: string[] = [];
    const all: string[] = [];
    let inItems = false;
    let item: Piece[] = [];
    const close = () => {
      const last = item.at(-1);
      if (last?.text === "*") {
        for (const use of this.uses(part, commonTables, depth + 1)) {
          columns.push(...use.columns);
          all.push(...use.all);
        }
      } else if (last?.class === "name") columns.push(nameIn(last));
      item = [];
    };
    for (let index = part.from; index < part.to; index = this.#next(index)) {
      const piece = this.#pieces[index];
      if (piece === undefined) break;
      if (piece.text === "SELECT") inItems = true;
      else if (inItems && piece.text === "FROM") break;
      else if (inItems && piece.text === ",") close();
      else if (inItems) item.push(piece);
    }
    close();
    return { columns, all };
  }

  /** The next token at the same depth: brackets are jumped over. */
  #next(index: number): number {
    return this.#pieces[index]?.text === "("
      ? (this.#closing.get(index) ?? this.#pieces.length) + 1
      : index + 1;
  }

  #opensQuery(index: number): boolean {
    const next = this.#pieces[index + 1]?.text ?? "";
    return this.#pieces[index]?.text === "(" && ["SELECT", "WITH", "VALUES"].includes(next);
  }
}
