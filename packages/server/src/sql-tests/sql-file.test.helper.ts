import { must } from "@hstream/proto";

/**
 * A file of SQL tests: blocks with a blank line between them. A block is
 *
 *   # …                    a comment
 *   create                 CREATE STREAM …; or CREATE VIEW …; of a stream with columns, or a relation whose
 *   CREATE …;              rows may be taken back (a view, declared like a stream)
 *
 *   create with deletions  a stream that carries deletions, as a query writes them
 *   CREATE STREAM …;
 *
 *   feed NAME              records as JSON, one a line; where rows may go also with - before it: the row goes
 *   {"a":1}
 *
 *   feed NAME at MS [shard N]
 *   {"a":1}                records that are appended then (else at 1000), to that shard (else 1)
 *
 *   time                   what is known of a stream's time, one a line
 *   shards s 1 2           the shards that it has
 *   watermark s 5000 [N]   no earlier record of shard N (else 1) will come
 *   idle s [N] [MS]        the shard, in which nothing came for so long, holds the watermark back no longer
 *   clock 60000            what is fed from here on is fed then
 *
 *   query | changes | folded | explain | error | statement
 *   SELECT …;              a statement, up to the line of dashes; of `statement` it is shown what it asks for
 *   ----                   then what is expected; left out, --complete fills it in
 *   a | b
 *   1 | 'x'
 *
 * `folded` gives what the changes come to, in an order of its own. `feed` blocks stand before the queries that see them: each query is run over all that was fed so far.
 */
export type Block =
  | { readonly kind: "comment"; readonly text: string }
  | { readonly kind: "create"; readonly sql: string; readonly deletions: boolean }
  | {
      readonly kind: "feed";
      readonly relation: string;
      readonly at: number;
      readonly shard: number;
      /** As it is written. */
      readonly head: string;
      readonly lines: readonly string[];
    }
  | { readonly kind: "time"; readonly lines: readonly string[] }
  | {
      readonly kind: "query" | "changes" | "folded" | "explain" | "error" | "statement";
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
  const [kind, name, ...more] = head.split(" ");
  switch (kind) {
    case "create":
      return { kind, sql: rest.join("\n"), deletions: name === "with" };
    case "feed":
      return {
        ...{ kind, head, relation: must(name, "feed names a relation"), lines: rest },
        at: numberAfter("at", more) ?? 1000,
        shard: numberAfter("shard", more) ?? 1,
      };
    case "time":
      return { kind, lines: rest };
    case "query":
    case "changes":
    case "folded":
    case "explain":
    case "error":
    case "statement": {
      const at = rest.indexOf(dashes);
      const sql = rest.slice(0, at < 0 ? undefined : at).join("\n");
      return { kind, sql, expected: at < 0 ? undefined : rest.slice(at + 1).join("\n"), line };
    }
    default:
      throw new Error(`line ${line}: ${head} begins no block`);
  }
}

function numberAfter(word: string, words: readonly string[]): number | undefined {
  const at = words.indexOf(word);
  return at < 0 ? undefined : Number(words[at + 1]);
}

export function printSqlFile(blocks: readonly Block[]): string {
  const texts = blocks.map((block) => {
    switch (block.kind) {
      case "comment":
        return block.text;
      case "create":
        return `create${block.deletions ? " with deletions" : ""}\n${block.sql}`;
      case "feed":
        return [block.head, ...block.lines].join("\n");
      case "time":
        return ["time", ...block.lines].join("\n");
      default:
        return `${block.kind}\n${block.sql}\n${dashes}\n${block.expected ?? ""}`.trimEnd();
    }
  });
  return `${texts.join("\n\n")}\n`;
}
