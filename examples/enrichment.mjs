/** Orders, each with what is known of its customer at that moment. Run a server first: npx hstream server start */
import { HStreamClient } from "@hstream/client";

const client = await HStreamClient.connect(`hstream://127.0.0.1:${process.env.HSTREAM_PORT ?? 6570}`);

async function rowsOf(sql) {
  const rows = [];
  for await (const statement of client.sql(sql)) for await (const row of statement) rows.push(row);
  return rows;
}

// The view has the newest record of each customer; an order looks its customer up there.
await rowsOf(`
  CREATE STREAM customer_changes;
  CREATE STREAM incoming;
  CREATE VIEW customers AS
    SELECT customer, LATEST(city) AS city, LATEST(discount) AS discount
    FROM customer_changes GROUP BY customer;
  CREATE STREAM priced AS
    SELECT i.id, i.customer, c.city, i.price * (100 - COALESCE(c.discount, 0)) / 100 AS price
    FROM incoming AS i LEFT JOIN customers AS c ON c.customer = i.customer;`);

const change = (customer, city, discount) =>
  rowsOf(
    `INSERT INTO customer_changes (customer, city, discount) VALUES ('${customer}', '${city}', ${discount});`,
  );
const order = (id, customer, price) =>
  rowsOf(`INSERT INTO incoming (id, customer, price) VALUES (${id}, '${customer}', ${price});`);

await change("ada", "London", 0);
await order(1, "ada", 200);
await change("ada", "Paris", 10);
await order(2, "ada", 200);
await order(3, "bob", 50);

for (const row of await rowsOf("SELECT * FROM priced EMIT CHANGES FROM EARLIEST LIMIT 3;")) {
  console.log(`order ${row.id}: ${row.customer}, ${row.city ?? "city unknown"}, ${row.price}`);
}
// Both views of the same moment, in one answer.
const perCity = `SELECT c.city, COUNT(*) AS orders FROM incoming AS i JOIN customers AS c ON c.customer = i.customer
  GROUP BY c.city;`;
for (const { city, orders } of await rowsOf(perCity)) console.log(`now ${orders} orders from ${city}`);

await rowsOf("TERMINATE QUERY priced; DROP QUERY priced; DROP STREAM priced; DROP VIEW customers;");
await rowsOf("DROP STREAM incoming; DROP STREAM customer_changes;");
await client.close();
