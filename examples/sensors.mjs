/** Averages of sensors per minute, by the time of measuring, with readings that come late. Run a server first: npx hstream server start */
import { HStreamClient } from "@hstream/client";

const client = await HStreamClient.connect(`hstream://127.0.0.1:${process.env.HSTREAM_PORT ?? 6570}`);

async function rowsOf(sql) {
  const rows = [];
  for await (const statement of client.sql(sql)) for await (const row of statement) rows.push(row);
  return rows;
}

// A record's time is its own, and it may come up to ten seconds after later ones.
await rowsOf(`
  CREATE STREAM readings (sensor STRING, taken TIMESTAMP, celsius FLOAT)
    WITH (TIMESTAMP = taken, LATENESS = INTERVAL 10 SECOND);
  CREATE STREAM minutes AS
    SELECT sensor, window_start, COUNT(*) AS readings, ROUND(AVG(celsius) * 10) / 10.0 AS celsius
    FROM TUMBLE(readings, INTERVAL 1 MINUTE)
    GROUP BY sensor, window_start
    EMIT FINAL;`);

const reading = (sensor, time, celsius) => `('${sensor}', TIMESTAMP '2024-05-01T${time}Z', ${celsius})`;
const insert = (...readings) =>
  rowsOf(`INSERT INTO readings (sensor, taken, celsius) VALUES ${readings.join(", ")};`);

await insert(
  reading("cellar", "12:00:05", 11.5),
  reading("roof", "12:00:20", 24.0),
  reading("roof", "12:00:50", 25.0),
  reading("roof", "12:01:04", 26.5),
  // Later than others of its minute, but not too late: at 12:01:10 that minute closes.
  reading("cellar", "12:00:58", 12.0),
  reading("roof", "12:01:30", 27.5),
);
// Much too late: its minute has been given.
await insert(reading("cellar", "12:00:59", 99.0));
await insert(reading("cellar", "12:02:11", 12.5));

const closed = "SELECT * FROM minutes EMIT CHANGES FROM EARLIEST LIMIT 3;";
for (const { window_start, sensor, celsius, readings } of await rowsOf(closed)) {
  console.log(`${window_start.$timestamp} ${sensor}: ${celsius} degrees on average of ${readings}`);
}
for (const { kind, reason, count } of await rowsOf("SELECT kind, reason, count FROM errors_of_minutes;")) {
  console.log(`${count} reading ${kind}: ${reason}`);
}

await rowsOf("TERMINATE QUERY minutes; DROP QUERY minutes; DROP STREAM minutes; DROP STREAM readings;");
await client.close();
