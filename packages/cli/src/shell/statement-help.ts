/** What `:help STATEMENT` knows of one. */
export interface StatementHelp {
  readonly topic: string;
  readonly syntax: string;
  readonly help: string;
  readonly example: string;
}

export const statementHelp: readonly StatementHelp[] = [
  {
    topic: "SELECT",
    syntax:
      "SELECT item, … FROM name [WHERE …] [GROUP BY …] [HAVING …] [ORDER BY …] [LIMIT n] [EMIT CHANGES [FROM EARLIEST]]",
    help: "Answers once over what is stored; with EMIT CHANGES goes on with what comes.",
    example: "SELECT city, COUNT(*) AS n FROM visits GROUP BY city;",
  },
  {
    topic: "EMIT CHANGES",
    syntax: "SELECT … EMIT CHANGES [COALESCED | WITH RETRACTIONS] [FROM EARLIEST | LATEST]",
    help: "Goes on for ever: rows as they come; with GROUP BY the new state of each touched group. Ctrl-C stops it.",
    example: "SELECT city, COUNT(*) AS n FROM visits GROUP BY city EMIT CHANGES FROM EARLIEST;",
  },
  {
    topic: "CREATE STREAM",
    syntax:
      "CREATE STREAM [IF NOT EXISTS] name [(column TYPE, …)] [WITH (SHARDS = n, DURATION = INTERVAL n DAY, REPLICATE = n)]",
    help: "Makes a stream. Without columns each record has the fields it has.",
    example: "CREATE STREAM visits (city STRING, at TIMESTAMP) WITH (SHARDS = 2);",
  },
  {
    topic: "CREATE VIEW",
    syntax: "CREATE VIEW [IF NOT EXISTS] name AS SELECT …",
    help: "A result that is kept up to date, and is read like a stream.",
    example: "CREATE VIEW busy AS SELECT city, COUNT(*) AS n FROM visits GROUP BY city;",
  },
  {
    topic: "INSERT",
    syntax: "INSERT INTO name (column, …) VALUES (value, …), …  or  INSERT INTO name VALUES '{…}'",
    help: "Stores records.",
    example: "INSERT INTO visits (city) VALUES ('Wien'), ('Graz');",
  },
  {
    topic: "SHOW",
    syntax: "SHOW STREAMS | VIEWS | QUERIES | SUBSCRIPTIONS",
    help: "Lists what there is.",
    example: "SHOW STREAMS;",
  },
  {
    topic: "DESCRIBE",
    syntax: "DESCRIBE name",
    help: "The columns of a stream or view.",
    example: "DESCRIBE visits;",
  },
  {
    topic: "DROP",
    syntax: "DROP STREAM | VIEW name [IF EXISTS]",
    help: "Deletes it with what it holds.",
    example: "DROP VIEW busy IF EXISTS;",
  },
  {
    topic: "TERMINATE",
    syntax: "TERMINATE QUERY id",
    help: "Ends a query that runs; SHOW QUERIES has the ids.",
    example: "TERMINATE QUERY q1;",
  },
  {
    topic: "EXPLAIN",
    syntax: "EXPLAIN [(FORMAT TEXT | JSON)] statement",
    help: "How a statement runs. :plan shows it as a tree.",
    example: "EXPLAIN SELECT city FROM visits WHERE city LIKE 'W%';",
  },
];

export const statementTopics: readonly string[] = statementHelp.map(({ topic }) => topic);

/** Help on a statement by its first words, whatever the case. */
export function findStatementHelp(topic: string): StatementHelp | undefined {
  const wanted = topic.trim().replace(/;$/, "").replace(/\s+/g, " ").toUpperCase();
  return (
    statementHelp.find((one) => one.topic === wanted) ??
    statementHelp.find((one) => one.topic.startsWith(`${wanted} `))
  );
}
