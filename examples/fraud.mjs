/** Cards that are used in several countries within one session. Run a server first: npx hstream server start */
import { HStreamClient } from "@hstream/client";

const client = await HStreamClient.connect(`hstream://127.0.0.1:${process.env.HSTREAM_PORT ?? 6570}`);

async function rowsOf(sql) {
  const rows = [];
  for await (const statement of client.sql(sql)) for await (const row of statement) rows.push(row);
  return rows;
}

// A session of a card goes on for as long as no two payments lie more than ten minutes apart.
await rowsOf(`
  CREATE STREAM payments (card STRING, paid TIMESTAMP, country STRING, amount INTEGER)
    WITH (TIMESTAMP = paid, LATENESS = INTERVAL 1 MINUTE);
  CREATE STREAM suspicions AS
    SELECT card, COUNT(*) AS payments, COUNT(DISTINCT country) AS countries, SUM(amount) AS total
    FROM SESSION(payments, INTERVAL 10 MINUTE)
    GROUP BY card
    HAVING COUNT(DISTINCT country) > 1
    EMIT FINAL;`);

const pay = (card, time, country, amount) =>
  `('${card}', TIMESTAMP '2024-05-01T${time}Z', '${country}', ${amount})`;
await rowsOf(
  `INSERT INTO payments (card, paid, country, amount) VALUES ${[
    pay("4711", "09:00:00", "PT", 12),
    pay("0815", "09:01:00", "DE", 40),
    pay("4711", "09:06:00", "PT", 30),
    pay("0815", "09:05:00", "BR", 900),
    pay("0815", "09:04:30", "DE", 15),
    // Hours later it is another session, and another country is no wonder.
    pay("4711", "15:00:00", "ES", 25),
    pay("0815", "15:30:00", "BR", 10),
  ].join(", ")};`,
);

for (const row of await rowsOf("SELECT * FROM suspicions EMIT CHANGES FROM EARLIEST LIMIT 1;")) {
  console.log(
    `card ${row.card}: ${row.payments} payments in ${row.countries} countries, ${row.total} in all`,
  );
}

await rowsOf(
  "TERMINATE QUERY suspicions; DROP QUERY suspicions; DROP STREAM suspicions; DROP STREAM payments;",
);
await client.close();
