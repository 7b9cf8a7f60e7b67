import { DYNAMIC, INTEGER, type SqlType, STRING, TIMESTAMP } from "@hstream/sql";

/**
 * Nexmark's queries in our SQL, and the reference: what DuckDB is to answer over the same events. In both, `seq` is
 * the order of arrival, which decides ties. Queries of two streams say WITHIN how long rows meet: so long as an
 * auction can last where that bounds them, else longer than any stream.
 */

export const nexmarkTables: Readonly<
  Record<"person" | "auction" | "bid", Readonly<Record<string, SqlType>>>
> = {
  person: {
    id: INTEGER,
    name: STRING,
    email_address: STRING,
    credit_card: STRING,
    city: STRING,
    state: STRING,
    date_time: TIMESTAMP,
    extra: STRING,
  },
  auction: {
    id: INTEGER,
    item_name: STRING,
    description: STRING,
    initial_bid: INTEGER,
    reserve: INTEGER,
    date_time: TIMESTAMP,
    expires: TIMESTAMP,
    seller: INTEGER,
    category: INTEGER,
    extra: STRING,
  },
  bid: {
    auction: INTEGER,
    bidder: INTEGER,
    price: INTEGER,
    channel: STRING,
    url: STRING,
    date_time: TIMESTAMP,
    extra: STRING,
    seq: INTEGER,
  },
};

/** Of the side table of q13, a view. */
export const sideInputColumns = { key: INTEGER, value: STRING, rest: DYNAMIC };
export const sideInputRows = 10_000;

export interface NexmarkQuery {
  readonly name: string;
  readonly sql: string;
  readonly reference: string;
  /** Thousand events per CPU-second that it must reach. */
  readonly floor: number;
  /** Thousand events per second and core as published: Flink's own guide, RisingWave's report of 2023. */
  readonly flink: number | undefined;
  readonly risingWave: number | undefined;
}

const bids = "auction, bidder, price, date_time, extra";
const ranks = (aggregate: string, name: string): string =>
  `${aggregate} AS total_${name},
   ${aggregate} FILTER (WHERE price < 10000) AS rank1_${name},
   ${aggregate} FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_${name},
   ${aggregate} FILTER (WHERE price >= 1000000) AS rank3_${name}`;
const statistics = [
  ranks("COUNT(*)", "bids"),
  ranks("COUNT(DISTINCT bidder)", "bidders"),
  ranks("COUNT(DISTINCT auction)", "auctions"),
].join(",\n");
const ofWinner = "a.id AS id, a.seller AS seller, b.price AS price, b.date_time AS date_time, b.seq AS seq";
const validBids = `auction AS a JOIN bid AS b
  ON a.id = b.auction AND b.date_time >= a.date_time AND b.date_time <= a.expires WITHIN (INTERVAL 1 MINUTE)`;
const validBidsThere =
  "auction AS a JOIN bid AS b ON a.id = b.auction AND b.date_time >= a.date_time AND b.date_time <= a.expires";
const auctionColumns =
  "a.item_name AS item_name, a.description AS description, a.initial_bid AS initial_bid, a.reserve AS reserve";

const winners = (from: string): string => `SELECT * FROM (
  SELECT ${ofWinner}, ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.seq) AS n FROM ${from}
) AS ranked WHERE n = 1`;
const lastEleven =
  "OVER (PARTITION BY seller ORDER BY date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)";
const winningBid = (from: string): string => `SELECT id, ${[
  "item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra",
  "auction, bidder, price, bid_date_time, bid_extra",
].join(", ")} FROM (
  SELECT a.id AS id, ${auctionColumns}, a.date_time AS date_time, a.expires AS expires, a.seller AS seller,
    a.category AS category, a.extra AS extra, b.auction AS auction, b.bidder AS bidder, b.price AS price,
    b.date_time AS bid_date_time, b.extra AS bid_extra,
    ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.seq) AS n
  FROM ${from}
) AS ranked WHERE n = 1`;
const expanded = `b.auction AS auction, b.bidder AS bidder, b.price AS price, b.channel AS channel, b.url AS url,
  b.date_time AS bid_date_time, b.extra AS bid_extra, ${auctionColumns}, a.date_time AS auction_date_time,
  a.expires AS expires, a.seller AS seller, a.category AS category, a.extra AS auction_extra`;
const seven = "auction, bidder, price, channel, url, date_time, extra";

export const nexmarkQueries: readonly NexmarkQuery[] = [
  {
    name: "q0",
    sql: `SELECT ${bids} FROM bid`,
    reference: `SELECT ${bids} FROM bid`,
    floor: 2000,
    flink: 155,
    risingWave: 170,
  },
  {
    name: "q1",
    sql: "SELECT auction, bidder, price * CAST('0.908' AS DECIMAL) AS price, date_time, extra FROM bid",
    reference:
      "SELECT auction, bidder, CAST(price * 0.908 AS DECIMAL(23,3)) AS price, date_time, extra FROM bid",
    floor: 1000,
    flink: 157.9,
    risingWave: 168,
  },
  {
    name: "q2",
    sql: "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    reference: "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    floor: 1000,
    flink: 175.2,
    risingWave: 172,
  },
  {
    name: "q3",
    sql: `SELECT p.name AS name, p.city AS city, p.state AS state, a.id AS id
      FROM auction AS a JOIN person AS p ON a.seller = p.id WITHIN (INTERVAL 100 YEAR)
      WHERE a.category = 10 AND TO_UPPER(p.state) IN ('CA', 'ID', 'OR')`,
    reference: `SELECT p.name, p.city, p.state, a.id FROM person p JOIN auction a ON a.seller = p.id
      WHERE a.category = 10 AND upper(p.state) IN ('CA', 'ID', 'OR')`,
    floor: 500,
    flink: 152.1,
    risingWave: 136,
  },
  {
    name: "q4",
    sql: `SELECT category, SUM(final) DIV COUNT(*) AS final FROM (
        SELECT a.id AS id, a.category AS category, MAX(b.price) AS final FROM ${validBids} GROUP BY a.id, a.category
      ) AS closing GROUP BY category`,
    reference: `SELECT category, CAST(sum(final) // count(*) AS BIGINT) AS final FROM (
        SELECT a.id, a.category, max(b.price) AS final FROM ${validBidsThere} GROUP BY a.id, a.category
      ) GROUP BY category`,
    floor: 150,
    flink: 34.3,
    risingWave: 25,
  },
  {
    name: "q5",
    sql: `WITH counted AS (
        SELECT auction, window_start, window_end, COUNT(*) AS num
        FROM HOP(bid, INTERVAL 10 SECOND, INTERVAL 2 SECOND) GROUP BY auction
      )
      SELECT c.auction AS auction, c.num AS num, c.window_start AS window_start
      FROM counted AS c JOIN (SELECT window_end, MAX(num) AS best FROM counted GROUP BY window_end) AS m
      ON c.window_end = m.window_end AND c.num = m.best`,
    reference: `WITH assigned AS (
        SELECT auction, (epoch_ms(date_time) // 2000 - k.i) * 2000 AS w FROM bid, range(0, 5) AS k(i)
      ), counted AS (SELECT w, auction, count(*) AS num FROM assigned GROUP BY w, auction),
      ranked AS (SELECT *, max(num) OVER (PARTITION BY w) AS best FROM counted)
      SELECT auction, num, make_timestamp_ms(w) FROM ranked WHERE num = best`,
    floor: 150,
    flink: 22.1,
    risingWave: 11.3,
  },
  {
    name: "q6",
    sql: `SELECT seller, SUM(price) ${lastEleven} DIV COUNT(*) ${lastEleven} AS avg_price FROM (${winners(validBids)}) AS w`,
    reference: `SELECT seller, CAST(sum(price) ${lastEleven} // count(*) ${lastEleven} AS BIGINT) FROM (${winners(validBidsThere)})`,
    floor: 150,
    flink: undefined,
    risingWave: 15.9,
  },
  {
    name: "q7",
    sql: `WITH tagged AS (
        SELECT ${bids}, window_end AS w FROM TUMBLE(bid, INTERVAL 10 SECOND)
        UNION ALL
        SELECT ${bids}, window_start AS w FROM TUMBLE(bid, INTERVAL 10 SECOND) WHERE date_time = window_start
      )
      SELECT b.auction AS auction, b.price AS price, b.bidder AS bidder, b.date_time AS date_time, b.extra AS extra
      FROM tagged AS b JOIN (
        SELECT window_end, MAX(price) AS top FROM TUMBLE(bid, INTERVAL 10 SECOND) GROUP BY window_end
      ) AS peak ON b.w = peak.window_end AND b.price = peak.top`,
    reference: `WITH peak AS (SELECT epoch_ms(date_time) // 10000 AS w, max(price) AS top FROM bid GROUP BY w)
      SELECT b.auction, b.price, b.bidder, b.date_time, b.extra FROM peak JOIN bid b
      ON b.price = peak.top AND epoch_ms(b.date_time) BETWEEN peak.w * 10000 AND (peak.w + 1) * 10000`,
    floor: 150,
    flink: 12.3,
    risingWave: 37.5,
  },
  {
    name: "q8",
    sql: `SELECT p.id AS id, p.name AS name, p.window_start AS starttime
      FROM (SELECT DISTINCT id, name, window_start, window_end FROM TUMBLE(person, INTERVAL 10 SECOND)) AS p
      JOIN (SELECT DISTINCT seller, window_end FROM TUMBLE(auction, INTERVAL 10 SECOND)) AS a
      ON p.id = a.seller AND p.window_end = a.window_end`,
    reference: `WITH p AS (SELECT DISTINCT id, name, epoch_ms(date_time) // 10000 AS w FROM person),
      a AS (SELECT DISTINCT seller, epoch_ms(date_time) // 10000 AS w FROM auction)
      SELECT p.id, p.name, make_timestamp_ms(p.w * 10000) FROM p JOIN a ON a.seller = p.id AND a.w = p.w`,
    floor: 500,
    flink: 146.1,
    risingWave: 84.3,
  },
  {
    name: "q9",
    sql: winningBid(validBids),
    reference: winningBid(validBidsThere),
    floor: 150,
    flink: 14.2,
    risingWave: 21.2,
  },
  {
    name: "q10",
    sql: `SELECT ${bids}, STRFTIME(date_time, '%Y-%m-%d') AS dt, STRFTIME(date_time, '%H:%M') AS hm FROM bid`,
    reference: `SELECT ${bids}, strftime(date_time, '%Y-%m-%d'), strftime(date_time, '%H:%M') FROM bid`,
    floor: 200,
    flink: 57.8,
    risingWave: 150,
  },
  {
    name: "q11",
    sql: `SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
      FROM SESSION(bid, INTERVAL 10 SECOND) GROUP BY bidder`,
    reference: `WITH marked AS (
        SELECT bidder, epoch_ms(date_time) AS t,
          CASE WHEN epoch_ms(date_time) - lag(epoch_ms(date_time)) OVER (PARTITION BY bidder ORDER BY date_time) <= 10000
          THEN 0 ELSE 1 END AS opens FROM bid
      ), numbered AS (
        SELECT bidder, t, sum(opens) OVER (PARTITION BY bidder ORDER BY t ROWS UNBOUNDED PRECEDING) AS s FROM marked
      )
      SELECT bidder, count(*), make_timestamp_ms(min(t)), make_timestamp_ms(max(t) + 10000) FROM numbered GROUP BY bidder, s`,
    floor: 500,
    flink: 39.7,
    risingWave: undefined,
  },
  {
    name: "q12",
    sql: `SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
      FROM TUMBLE(bid, _append_time, INTERVAL 10 SECOND) GROUP BY bidder`,
    reference: `SELECT bidder, count(*), make_timestamp_ms((epoch_ms(p_time) // 10000) * 10000),
        make_timestamp_ms((epoch_ms(p_time) // 10000) * 10000 + 10000)
      FROM bid GROUP BY bidder, epoch_ms(p_time) // 10000`,
    floor: 500,
    flink: 75.7,
    risingWave: 91.7,
  },
  {
    name: "q13",
    sql: `SELECT b.auction AS auction, b.bidder AS bidder, b.price AS price, b.date_time AS date_time, s.value AS value
      FROM bid AS b JOIN side_input AS s ON s.key = b.auction % 10000`,
    reference: `SELECT b.auction, b.bidder, b.price, b.date_time, s.value FROM bid b JOIN (
        SELECT i AS key, CAST(i AS VARCHAR) AS value FROM range(0, ${sideInputRows}) AS r(i)
      ) s ON s.key = b.auction % 10000`,
    floor: 500,
    flink: 130.7,
    risingWave: 117,
  },
  {
    name: "q14",
    sql: `SELECT auction, bidder, price * CAST('0.908' AS DECIMAL) AS price,
        CASE WHEN HOUR(date_time) BETWEEN 8 AND 18 THEN 'dayTime'
             WHEN HOUR(date_time) IN (7, 19) THEN 'otherTime' ELSE 'nightTime' END AS bid_time_type,
        date_time, extra, LENGTH(extra) - LENGTH(REPLACE(extra, 'c', '')) AS c_counts
      FROM bid WHERE price * CAST('0.908' AS DECIMAL) > 1000000 AND price * CAST('0.908' AS DECIMAL) < 50000000`,
    reference: `SELECT auction, bidder, CAST(price * 0.908 AS DECIMAL(23,3)),
        CASE WHEN hour(date_time) BETWEEN 8 AND 18 THEN 'dayTime'
             WHEN hour(date_time) IN (7, 19) THEN 'otherTime' ELSE 'nightTime' END,
        date_time, extra, length(extra) - length(replace(extra, 'c', ''))
      FROM bid WHERE price * 0.908 > 1000000 AND price * 0.908 < 50000000`,
    floor: 1000,
    flink: 161.2,
    risingWave: 154,
  },
  {
    name: "q15",
    sql: `SELECT STRFTIME(date_time, '%Y-%m-%d') AS day, ${statistics} FROM bid GROUP BY STRFTIME(date_time, '%Y-%m-%d')`,
    reference: `SELECT strftime(date_time, '%Y-%m-%d') AS day, ${statistics} FROM bid GROUP BY day`,
    floor: 150,
    flink: 72.4,
    risingWave: 130,
  },
  {
    name: "q16",
    sql: `SELECT channel, STRFTIME(date_time, '%Y-%m-%d') AS day, MAX(STRFTIME(date_time, '%H:%M')) AS minute, ${statistics}
      FROM bid GROUP BY channel, STRFTIME(date_time, '%Y-%m-%d')`,
    reference: `SELECT channel, strftime(date_time, '%Y-%m-%d') AS day, max(strftime(date_time, '%H:%M')), ${statistics}
      FROM bid GROUP BY channel, day`,
    floor: 150,
    flink: 18.7,
    risingWave: 11.9,
  },
  {
    name: "q17",
    sql: `SELECT auction, STRFTIME(date_time, '%Y-%m-%d') AS day, ${ranks("COUNT(*)", "bids")}, MIN(price) AS min_price,
        MAX(price) AS max_price, SUM(price) DIV COUNT(*) AS avg_price, SUM(price) AS sum_price
      FROM bid GROUP BY auction, STRFTIME(date_time, '%Y-%m-%d')`,
    reference: `SELECT auction, strftime(date_time, '%Y-%m-%d') AS day, ${ranks("COUNT(*)", "bids")}, min(price),
        max(price), CAST(sum(price) // count(*) AS BIGINT), CAST(sum(price) AS BIGINT)
      FROM bid GROUP BY auction, day`,
    floor: 200,
    flink: 116.8,
    risingWave: 42.7,
  },
  {
    name: "q18",
    sql: `SELECT ${seven} FROM (
        SELECT ${seven}, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, seq DESC) AS n FROM bid
      ) AS ranked WHERE n = 1`,
    reference: `SELECT ${seven} FROM bid
      QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, seq DESC) = 1`,
    floor: 200,
    flink: 53.7,
    risingWave: 25.8,
  },
  {
    name: "q19",
    sql: `SELECT ${seven}, n AS rank_number FROM (
        SELECT ${seven}, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, seq) AS n FROM bid
      ) AS ranked WHERE n <= 10`,
    reference: `SELECT ${seven}, row_number() OVER (PARTITION BY auction ORDER BY price DESC, seq) AS rank_number FROM bid
      QUALIFY rank_number <= 10`,
    floor: 150,
    flink: 44,
    risingWave: 16.8,
  },
  {
    name: "q20",
    sql: `SELECT ${expanded} FROM bid AS b JOIN auction AS a ON a.id = b.auction WITHIN (INTERVAL 100 YEAR)
      WHERE a.category = 10`,
    reference: `SELECT ${expanded} FROM bid AS b JOIN auction AS a ON a.id = b.auction WHERE a.category = 10`,
    floor: 200,
    flink: 19,
    risingWave: 18.1,
  },
  {
    name: "q21",
    sql: `SELECT auction, bidder, price, channel, IFNULL(known, url_id) AS channel_id FROM (
        SELECT auction, bidder, price, channel,
          CASE TO_LOWER(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2'
                                 WHEN 'baidu' THEN '3' END AS known,
          REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2) AS url_id
        FROM bid
      ) AS t WHERE known IS NOT NULL OR url_id IS NOT NULL`,
    reference: `WITH t AS (
        SELECT *, CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2'
                                      WHEN 'baidu' THEN '3' END AS known,
          regexp_matches(url, '(&|^)channel_id=') AS has_id,
          regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) AS url_id FROM bid
      ) SELECT auction, bidder, price, channel, coalesce(known, url_id) FROM t WHERE known IS NOT NULL OR has_id`,
    floor: 1000,
    flink: 98.5,
    risingWave: 117,
  },
  {
    name: "q22",
    sql: `SELECT auction, bidder, price, channel, parts[3] AS dir1, parts[4] AS dir2, parts[5] AS dir3
      FROM (SELECT auction, bidder, price, channel, SPLIT('/', url) AS parts FROM bid) AS t`,
    reference: `WITH t AS (SELECT *, string_split(url, '/') AS seg FROM bid)
      SELECT auction, bidder, price, channel, seg[4], seg[5], seg[6] FROM t`,
    floor: 1000,
    flink: 130,
    risingWave: 150,
  },
];
