import { must } from "@hstream/proto";

/**
 * A file of SQL tests: blocks with a blank line between them. A block is
 *
 *   # …                    a comment
 *   create                 CREATE STREAM …; or CREATE VIEW …; of a stream with columns, or a relation whose
 *   CREATE …;              rows may be taken back (a view, declared like a stream)
 *
 *   feed NAME              records as JSON, one a line; of a view also with - before it: the row goes
 *   {"a":1}
 *
 *   query | changes | explain | error | statement
 *   SELECT …;              a statement, up to the line of dashes; of `statement` it is shown what it asks for
 *   ----                   then what is expected; left out, --complete fills it in
 *   a | b
 *   1 | 'x'
 *
 * `feed` blocks stand before the queries that see them: each query is run over all that was fed so far.
 */
export type Block =
  | { readonly kind: "comment"; readonly text: string }
  | { readonly kind: "create"; readonly sql: string }
  | { readonly kind: "feed"; readonly relation: string; readonly lines: readonly string[] }
  | {
      readonly kind: "query" | "changes" | "explain" | "error" | "statement";
      readonly sql: string;
      /** Undefined: to be filled in. */
      readonly expected: string | undefined;
      readonly line: number;
    };

export type Case = Extract<Block, { readonly line: number }>;

const dashes = "----";

export function parseSqlFile(text: string): Block[] {
  const blocks: Block[] = [];
  let line = 1;
  for (const part of text.split(/\n\n+/)) {
    const lines = part.split("\n").filter((one) => one.trim() !== "");
    const first = lines[0] ?? "";
    if (first.startsWith("#")) blocks.push({ kind: "comment", text: lines.join("\n") });
    else if (first !== "") blocks.push(blockOf(first, lines.slice(1), line));
    line += part.split("\n").length + 1;
  }
  return blocks;
}

function blockOf(head: string, rest: readonly string[], line: number): Block {
  const [kind, name] = head.split(" ");
  switch (kind) {
    case "create":
      return { kind, sql: rest.join("\n") };
    case "feed":
      return { kind, relation: must(name, "feed names a relation"), lines: rest };
    case "query":
    case "changes":
    case "explain":
    case "error":
    case "statement": {
      const at = rest.indexOf(dashes);
      const sql = rest.slice(0, at < 0 ? undefined : at).join("\n");
      return { kind, sql, expected: at < 0 ? undefined : rest.slice(at + 1).join("\n"), line };
    }
    default:
      throw new Error(
        `line ${line}: a block begins with create, feed, query, changes, explain, error or statement`,
      );
  }
}

export function printSqlFile(blocks: readonly Block[]): string {
  const texts = blocks.map((block) => {
    switch (block.kind) {
      case "comment":
        return block.text;
      case "create":
        return `create\n${block.sql}`;
      case "feed":
        return [`feed ${block.relation}`, ...block.lines].join("\n");
      default:
        return `${block.kind}\n${block.sql}\n${dashes}\n${block.expected ?? ""}`.trimEnd();
    }
  });
  return `${texts.join("\n\n")}\n`;
}
