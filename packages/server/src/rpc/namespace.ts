import { parseScript } from "@hstream/sql";
import { HStreamError } from "../errors.js";
import { resourceIdProblem } from "../streams/names.js";
import { quoted } from "./statement-runner.js";

type Statement = ReturnType<typeof parseScript>["statements"][number];
type Relation = Extract<Statement, { kind: "describe" }>["name"];

/** A text that takes the place of another one: what stands between two offsets. */
interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The statements of a script with the namespace before the name of every stream and view, which the query
 * still calls by their names without it. Throws InvalidName when no name can begin so; a script that cannot
 * be parsed is given back as it is.
 */
export function withNamespace(sql: string, namespace: string): string {
  if (namespace === "") return sql;
  const reason = resourceIdProblem(namespace);
  if (reason !== undefined) throw new HStreamError("InvalidName", { reason: `The namespace: ${reason}` });
  const splices: Splice[] = [];
  const prefix = ({ text, span }: Relation) => {
    splices.push({ start: span.start, end: span.end, text: quoted(`${namespace}${text}`) });
  };
  const alias = (name: string, at: number) =>
    splices.push({ start: at, end: at, text: ` AS ${quoted(name)}` });

  const { statements } = parseScript(sql);
  for (const statement of statements) {
    if (statement.kind === "insert") prefix(statement.relation);
    else if (
      statement.kind === "create-stream" ||
      statement.kind === "create-stream-as" ||
      statement.kind === "create-view"
    ) {
      prefix(statement.name);
    }
    visit(statement, new Set());
  }
  let result = sql;
  for (const { start, end, text } of splices.sort((a, b) => b.start - a.start || b.end - a.end)) {
    result = result.slice(0, start) + text + result.slice(end);
  }
  return result;

  /** `named`: the common tables that can be read here, which are no streams. */
  function visit(node: unknown, named: ReadonlySet<string>): void {
    if (typeof node !== "object" || node === null) return;
    if (Array.isArray(node)) {
      for (const each of node) visit(each, named);
      return;
    }
    const tagged = node as FromNode;
    if (tagged.kind === "relation") visitRelation(tagged, tagged.span.end, named);
    else if (tagged.kind === "window" && tagged.input.kind === "relation") {
      // Inside the parentheses there is no place for an alias.
      const end = tagged.alias === undefined ? tagged.span.end : undefined;
      visitRelation(tagged.input, end, named);
    } else if (tagged.kind === "query" && "with" in tagged) {
      const inside = new Set(named);
      for (const { alias, query } of tagged.with) {
        visit(query, inside);
        inside.add(alias.name.text.toLowerCase());
      }
      const { with: _, ...rest } = tagged;
      for (const each of Object.values(rest)) visit(each, inside);
    } else for (const each of Object.values(node)) visit(each, named);
  }

  function visitRelation(
    relation: Extract<FromNode, { kind: "relation" }>,
    aliasAt: number | undefined,
    named: ReadonlySet<string>,
  ): void {
    if (named.has(relation.name.text.toLowerCase())) return;
    prefix(relation.name);
    if (relation.alias === undefined && aliasAt !== undefined) alias(relation.name.text, aliasAt);
  }
}

type QueryNode = Extract<Statement, { kind: "query" }>["query"];
type SelectNode = Extract<QueryNode["body"], { kind: "select" }>;
type FromNode = NonNullable<SelectNode["from"]> | QueryNode;
