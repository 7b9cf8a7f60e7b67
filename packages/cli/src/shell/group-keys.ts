/** The names of the result columns that a grouped query is grouped by; empty for any other. */
export async function groupKeys(sql: string): Promise<readonly string[]> {
  if (!/\bgroup\s+by\b/i.test(sql)) return [];
  // The parser takes a moment to load, so only grouped queries ask for it.
  const { parseScript, printExpression } = await import("@hstream/sql");
  const { statements } = parseScript(sql);
  const [first] = statements;
  if (first?.kind !== "query" || first.query.body.kind !== "select") return [];
  const { items, groupBy } = first.query.body;
  const texts = groupBy.map((expression) => printExpression(expression));
  return items.flatMap((item) => {
    if (item.kind !== "expression") return [];
    const { expression, alias } = item;
    const text = printExpression(expression);
    // As the server names a column without an alias.
    const bare =
      expression.kind === "name" ? (expression.parts.at(-1)?.text ?? text) : text.replaceAll(" ", "");
    const grouped = texts.includes(text) || (alias !== undefined && texts.includes(alias.text));
    return grouped ? [alias?.text ?? bare] : [];
  });
}
