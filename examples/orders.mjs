/** Appends orders, asks for sums, and follows a query. Run a server first: npx hstream server start */
import { HStreamClient } from "@hstream/client";

const client = await HStreamClient.connect(`hstream://127.0.0.1:${process.env.HSTREAM_PORT ?? 6570}`);
await client.streams.create("shop_orders", { shardCount: 2 });

// Records of one key stay in order; the key decides the shard.
await client.append("shop_orders", [{ customer: "ada", price: 3 }], { key: "ada" });
await client.append("shop_orders", [{ customer: "bob", price: 8 }], { key: "bob" });
await client.append("shop_orders", [{ customer: "ada", price: 21 }], { key: "ada" });

const sums = "SELECT customer, SUM(price) AS total FROM shop_orders GROUP BY customer ORDER BY customer;";
for await (const { customer, total } of client.query(sums)) console.log(`${customer} spent ${total}`);

// A push query: what is appended once it runs, until its LIMIT.
const dear = "SELECT customer, price FROM shop_orders WHERE price > 10 EMIT CHANGES LIMIT 1;";
for await (const statement of client.sql(dear)) {
  await client.append("shop_orders", [{ customer: "cleo", price: 5 }], { key: "cleo" });
  await client.append("shop_orders", [{ customer: "cleo", price: 50 }], { key: "cleo" });
  for await (const row of statement) console.log(`a dear one: ${row.customer}, ${row.price}`);
}

await client.streams.delete("shop_orders");
await client.close();
