import { isReserved } from "@hstream/sql/tokens";
import { nameIn, type Piece, piecesAt } from "./pieces.js";
import { queryScope, type RelationUse } from "./query-scope.js";

/** What may stand where the cursor is. */
export interface CursorContext {
  /** What has been typed of it: from `start` to the cursor. */
  readonly word: string;
  readonly start: number;
  /** Keywords, several words where they go together. */
  readonly keywords: readonly string[];
  /** Names of what can stand in FROM, DROP …; undefined: none. */
  readonly relations: "any" | "stream" | "view" | undefined;
  /** Columns of these. */
  readonly columnsOf: readonly RelationUse[];
  /** All relations of the statement, whether columns can stand here or not. */
  readonly uses: readonly RelationUse[];
  /** Names of WITH that can stand here. */
  readonly commonTables: readonly string[];
  /** Names that the select list gives to its items, where they can be used. */
  readonly aliases: readonly string[];
  readonly functions: boolean;
  readonly options: boolean;
  readonly types: boolean;
}

const nothing = {
  keywords: [],
  relations: undefined,
  columnsOf: [],
  functions: false,
  options: false,
  types: false,
} as const;

const setOperations = ["UNION", "EXCEPT", "INTERSECT"];
const windowFunctions = ["TUMBLE(", "HOP(", "SLIDE(", "SESSION("];
const joins = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"];
const startKeywords = [
  "SELECT",
  "INSERT INTO",
  "CREATE STREAM",
  "CREATE VIEW",
  "SHOW",
  "DESCRIBE",
  "DROP",
  "EXPLAIN",
  "TERMINATE QUERY",
  "WITH",
];
const operandKeywords = ["CASE", "CAST", "NOT", "NULL", "TRUE", "FALSE", "INTERVAL", "DATE", "TIMESTAMP"];
const operatorKeywords = ["AND", "OR", "IS NULL", "IS NOT NULL", "IN", "LIKE", "BETWEEN", "NOT"];
const caseKeywords = ["WHEN", "THEN", "ELSE", "END"];
/** What may follow a finished part of each clause. */
const afterClause: Readonly<Record<string, readonly string[]>> = {
  SELECT: ["FROM", "AS"],
  FROM: [
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "EMIT CHANGES",
    "AS",
    ...joins,
    ...setOperations,
  ],
  JOIN: ["ON", "USING", "WITHIN", "AS"],
  ON: [
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "EMIT CHANGES",
    "WITHIN",
    ...joins,
    ...setOperations,
  ],
  WHERE: ["GROUP BY", "HAVING", "ORDER BY", "LIMIT", "EMIT CHANGES", ...setOperations],
  "GROUP BY": ["HAVING", "ORDER BY", "LIMIT", "EMIT CHANGES", ...setOperations],
  HAVING: ["ORDER BY", "LIMIT", "EMIT CHANGES", ...setOperations],
  "ORDER BY": ["ASC", "DESC", "NULLS FIRST", "NULLS LAST", "LIMIT", "EMIT CHANGES"],
  LIMIT: ["OFFSET", "EMIT CHANGES"],
  WITHIN: ["WHERE", "GROUP BY", "ON", "EMIT CHANGES", ...joins],
  EMIT: ["COALESCED", "WITH RETRACTIONS", "FROM EARLIEST", "FROM LATEST", "LIMIT"],
};
const showTargets = ["STREAMS", "VIEWS", "QUERIES", "SUBSCRIPTIONS", "TABLES", "CONNECTORS"];

/** Reads the statement around the cursor. Undefined within a text, a comment or a number. */
export function cursorContext(text: string, cursor: number): CursorContext | undefined {
  const all = piecesAt(text, cursor);
  const inside = all.find(({ start, end }) => start < cursor && cursor <= end);
  const isWord = inside !== undefined && /^[\p{L}_"`]/u.test(inside.raw);
  if (inside !== undefined && !isWord && ["text", "comment", "number", "error"].includes(inside.class)) {
    const closed = inside.class === "text" && cursor === inside.end && /'$/.test(inside.raw.slice(1));
    if (!closed) return undefined;
  }
  const start = isWord ? inside.start : cursor;
  const code = all.filter((piece) => piece.class !== "comment");
  const before = code.filter((piece) => piece.end <= start);
  const word = text.slice(start, cursor);
  const scope = queryScope(code, before.length);
  const { uses, commonTables } = scope;
  // Within brackets that hold a query of their own, only that query counts.
  const nested =
    scope.before.length < before.length &&
    ["SELECT", ...setOperations, "WITH"].includes(scope.before[0]?.text ?? "");
  const found = expected(nested ? scope.before : before, uses);
  const clause = found.functions ? clauseOf(before.map(({ text }) => text)).clause : "";
  const aliases = ["GROUP BY", "ORDER BY", "HAVING"].includes(clause) ? aliasesOf(all) : [];
  return {
    word,
    start,
    uses,
    aliases,
    commonTables: found.relations === "any" ? commonTables : [],
    ...found,
  };
}

function aliasesOf(pieces: readonly Piece[]): readonly string[] {
  const from = pieces.findIndex(({ text }) => text === "FROM");
  return pieces.slice(0, Math.max(0, from)).flatMap((piece, index) => {
    const named = piece.class === "name" && pieces[index - 1]?.text === "AS";
    return named ? [nameIn(piece)] : [];
  });
}

type Expected = Omit<CursorContext, "word" | "start" | "uses" | "aliases" | "commonTables">;

function expected(before: readonly Piece[], uses: readonly RelationUse[]): Expected {
  const words = before.map(({ text }) => text);
  const last = words.at(-1);
  if (last === undefined) return { ...nothing, keywords: startKeywords };
  // After a dot: the columns of what stands before it.
  if (last === "." && before.at(-2) !== undefined) {
    const alias = nameIn(before.at(-2));
    return {
      ...nothing,
      columnsOf: uses.filter((use) => use.alias === alias || use.name === alias).slice(0, 1),
    };
  }
  if (last === "::") return { ...nothing, types: true };
  const [first = "", second = ""] = words[0] === "EXPLAIN" ? words.slice(1) : words;
  const rest = words[0] === "EXPLAIN" ? before.slice(1) : before;
  if (rest.length === 0) return { ...nothing, keywords: ["SELECT", "CREATE VIEW"] };
  switch (first) {
    case "SHOW":
      return rest.length === 1 ? { ...nothing, keywords: showTargets } : nothing;
    case "DESCRIBE":
    case "DESC":
      return rest.length === 1 ? { ...nothing, relations: "any" } : nothing;
    case "DROP":
      if (rest.length === 1) return { ...nothing, keywords: ["STREAM", "VIEW", "QUERY"] };
      if (rest.length === 2 || (rest.length === 4 && last.startsWith("EXIST"))) {
        const relations = second === "STREAM" ? "stream" : second === "VIEW" ? "view" : undefined;
        return { ...nothing, relations, keywords: rest.length === 2 ? ["IF EXISTS"] : [] };
      }
      return rest.length === 3 && last !== "IF" ? { ...nothing, keywords: ["IF EXISTS"] } : nothing;
    case "TERMINATE":
      return rest.length === 1 ? { ...nothing, keywords: ["QUERY"] } : nothing;
    case "INSERT":
      return expectedOfInsert(rest);
    case "CREATE":
      return expectedOfCreate(rest, uses);
    case "SELECT":
      return afterSetOperation(rest, uses);
    case "WITH":
      return expectedOfWith(rest, uses);
    case "UNION":
    case "EXCEPT":
    case "INTERSECT":
      return expectedOfSetOperation(rest, uses);
    default:
      return nothing;
  }
}

function expectedOfInsert(pieces: readonly Piece[]): Expected {
  const words = pieces.map(({ text }) => text);
  if (pieces.length === 1) return { ...nothing, keywords: ["INTO"] };
  if (pieces.length === 2) return { ...nothing, relations: "stream" };
  const values = words.indexOf("VALUES");
  if (values >= 0)
    return depth(words) > 0 ? { ...nothing, functions: true, keywords: operandKeywords } : nothing;
  const name = nameIn(pieces[2]);
  if (depth(words) > 0) return { ...nothing, columnsOf: [{ name, alias: name, columns: [], all: [name] }] };
  return { ...nothing, keywords: ["VALUES"] };
}

function expectedOfCreate(pieces: readonly Piece[], uses: readonly RelationUse[]): Expected {
  const words = pieces.map(({ text }) => text);
  const last = words.at(-1) ?? "";
  if (pieces.length === 1) return { ...nothing, keywords: ["STREAM", "VIEW"] };
  const select = words.indexOf("SELECT");
  if (select > 0) return afterSetOperation(pieces.slice(select), uses);
  if (pieces.length === 2) return { ...nothing, keywords: ["IF NOT EXISTS"] };
  if (last === "AS") return { ...nothing, keywords: ["SELECT"] };
  const withAt = words.indexOf("WITH");
  if (withAt > 0) {
    const opens = last === "(" || last === ",";
    return opens ? { ...nothing, options: true } : { ...nothing, keywords: last === "=" ? ["INTERVAL"] : [] };
  }
  if (depth(words) > 0) return { ...nothing, types: last !== "(" && last !== "," };
  if (["IF", "NOT"].includes(last))
    return { ...nothing, keywords: [last === "IF" ? "NOT EXISTS" : "EXISTS"] };
  if (last.startsWith("EXIST")) return nothing;
  return { ...nothing, keywords: words[1] === "VIEW" ? ["AS SELECT"] : ["WITH"] };
}

/** Behind WITH: its tables, then the query. */
function expectedOfWith(pieces: readonly Piece[], uses: readonly RelationUse[]): Expected {
  const words = pieces.map(({ text }) => text);
  let level = 0;
  for (const [index, word] of words.entries()) {
    if (word === "(") level += 1;
    if (word === ")") level -= 1;
    if (word === "SELECT" && level === 0) return afterSetOperation(pieces.slice(index), uses);
  }
  if (level > 0) return { ...nothing, keywords: ["SELECT"] };
  const last = words.at(-1);
  if (last === ")") return { ...nothing, keywords: ["SELECT"] };
  return { ...nothing, keywords: last === "WITH" || last === "," || last === "AS" ? [] : ["AS"] };
}

function expectedOfSetOperation(pieces: readonly Piece[], uses: readonly RelationUse[]): Expected {
  const rest = pieces.slice(["ALL", "DISTINCT"].includes(pieces[1]?.text ?? "") ? 2 : 1);
  if (rest.length > 0) return expectedOfSelect(rest, uses);
  return { ...nothing, keywords: pieces.length === 1 ? ["SELECT", "ALL", "DISTINCT"] : ["SELECT"] };
}

/** The last part of a query with UNION and the like. */
function afterSetOperation(pieces: readonly Piece[], uses: readonly RelationUse[]): Expected {
  let level = 0;
  for (let index = pieces.length - 1; index >= 0; index -= 1) {
    const word = pieces[index]?.text ?? "";
    if (word === ")") level += 1;
    if (word === "(") level -= 1;
    if (level === 0 && setOperations.includes(word)) return expectedOfSetOperation(pieces.slice(index), uses);
  }
  return expectedOfSelect(pieces, uses);
}

function expectedOfSelect(pieces: readonly Piece[], uses: readonly RelationUse[]): Expected {
  const words = pieces.map(({ text }) => text);
  const last = words.at(-1) ?? "";
  const { clause, size } = clauseOf(words);
  if (clause === "EMIT") {
    if (last === "EMIT") return { ...nothing, keywords: ["CHANGES", "FINAL", "EVERY"] };
    if (last === "EVERY") return { ...nothing, keywords: ["INTERVAL"] };
    if (last === "WITH") return { ...nothing, keywords: ["RETRACTIONS"] };
    if (last === "FROM") return { ...nothing, keywords: ["EARLIEST", "LATEST"] };
    return { ...nothing, keywords: size > 1 ? (afterClause["EMIT"] ?? []) : [] };
  }
  if (last === "GROUP" || last === "ORDER") return { ...nothing, keywords: ["BY"] };
  if (last === "NULLS") return { ...nothing, keywords: ["FIRST", "LAST"] };
  if (["LEFT", "RIGHT", "FULL", "INNER", "CROSS"].includes(last)) return { ...nothing, keywords: ["JOIN"] };
  if (clause === "FROM" || clause === "JOIN") {
    const within = insideWindow(words);
    if (within !== undefined) {
      return within === 0 ? { ...nothing, relations: "any" } : { ...nothing, keywords: ["INTERVAL"] };
    }
    if (size === 0 || last === ",") return { ...nothing, relations: "any", keywords: windowFunctions };
    return last === "AS" ? nothing : { ...nothing, keywords: afterClause[clause] ?? [] };
  }
  if (clause === "WITHIN" && size === 0) return { ...nothing, keywords: ["INTERVAL"] };
  if (clause === "USING") return { ...nothing, columnsOf: depth(words) > 0 ? uses : [] };
  if (last === "AS") return insideCast(words) ? { ...nothing, types: true } : nothing;
  const after = afterOperand(pieces.at(-1));
  const within = words.lastIndexOf("CASE") > words.lastIndexOf("END") ? caseKeywords : [];
  if (!after) {
    return {
      ...nothing,
      columnsOf: uses,
      functions: clause !== "LIMIT",
      keywords: [...operandKeywords, ...within],
    };
  }
  const nested = depth(words) > 0;
  const next = nested ? [] : (afterClause[clause] ?? []);
  return { ...nothing, keywords: [...next, ...within, ...(clause === "LIMIT" ? [] : operatorKeywords)] };
}

const clauseWords = ["SELECT", "FROM", "JOIN", "ON", "USING", "WITHIN", "WHERE", "HAVING", "LIMIT", "EMIT"];

/** How many commas there are before the end of an open window function; undefined outside of one. */
function insideWindow(words: readonly string[]): number | undefined {
  let commas = 0;
  let level = 0;
  for (let index = words.length - 1; index > 0; index -= 1) {
    const word = words[index];
    if (word === ")") level += 1;
    if (word === "," && level === 0) commas += 1;
    if (word !== "(") continue;
    if (level === 0) return windowFunctions.includes(`${words[index - 1]}(`) ? commas : undefined;
    level -= 1;
  }
  return undefined;
}

/** The clause that the end of the words is in, and how many words of it there are. */
function clauseOf(words: readonly string[]): { readonly clause: string; readonly size: number } {
  let level = 0;
  for (let index = words.length - 1; index >= 0; index -= 1) {
    const word = words[index] ?? "";
    if (word === ")") level += 1;
    if (word === "(") level -= 1;
    if (level > 0) continue;
    const size = words.length - 1 - index;
    if (word === "BY") return { clause: `${words[index - 1] ?? ""} BY`, size };
    if (word === "FROM" && words.lastIndexOf("EMIT", index) >= 0) return { clause: "EMIT", size: size + 2 };
    if (clauseWords.includes(word)) return { clause: word, size };
  }
  return { clause: "SELECT", size: words.length };
}

/** Whether an operand has just ended, so that an operator or the next clause may follow. */
function afterOperand(piece: Piece | undefined): boolean {
  if (piece === undefined) return false;
  if (["name", "text", "number"].includes(piece.class)) return true;
  if (piece.class === "keyword") {
    if (["NULL", "TRUE", "FALSE", "END", "ASC", "DESC", "FIRST", "LAST"].includes(piece.text)) return true;
    // A contextual word can be a name.
    return !isReserved(piece.raw) && !["CASE", "NOT", "INTERVAL"].includes(piece.text);
  }
  return [")", "]", "}"].includes(piece.text) || piece.text === "*";
}

function insideCast(words: readonly string[]): boolean {
  const open = words.lastIndexOf("CAST");
  return open >= 0 && depth(words.slice(open)) > 0;
}

/** Brackets that are open at the end. */
function depth(words: readonly string[]): number {
  let open = 0;
  for (const word of words) {
    if (word === "(") open += 1;
    if (word === ")") open -= 1;
  }
  return open;
}
