import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { HStreamApiService } from "./generated/hstream.js";

/** Of each schema, the SHA-256 of `normalised` text. */
const fingerprints = {
  "hstream.proto": "6de987eff12b92422225744f3f37d8eabe60d9ffb937c4d7427e2fd53fd4a30e",
  "hstream_ext.proto": "127a307994cd7acdaf3595c2cd704cd8ed8239c350c9a5bc481ba754e384ce28",
} as const;

const calls =
  "Echo CreateStream DeleteStream TrimStream TrimShards GetStream ListStreams ListStreamsWithPrefix LookupShard Append " +
  "GetTailRecordId ListShards TrimShard CreateShardReader LookupShardReader ReadShard ReadShardStream>> " +
  "ListShardReaders DeleteShardReader ReadStream>> ReadSingleShardStream>> ReadStreamByKey<> CreateSubscription " +
  "GetSubscription ListSubscriptions ListSubscriptionsWithPrefix ListConsumers CheckSubscriptionExist " +
  "DeleteSubscription LookupSubscription StreamingFetch<> DescribeCluster LookupResource LookupKey SendAdminCommand " +
  "PerStreamTimeSeriesStats PerStreamTimeSeriesStatsAll GetStats ExecuteQuery CreateQuery CreateQueryWithNamespace " +
  "ListQueries GetQuery TerminateQuery DeleteQuery ResumeQuery PauseQuery ParseSql RegisterSchema GetSchema " +
  "UnregisterSchema CreateConnector ListConnectors GetConnector GetConnectorSpec GetConnectorLogs DeleteConnector " +
  "PauseConnector ResumeConnector AlterConnectorConfig ListViews GetView DeleteView ExecuteViewQuery " +
  "ExecuteViewQueryWithNamespace";

function schemaText(name: string): string {
  return readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
}

/** Without comments and with single spaces. */
function normalised(schema: string): string {
  return schema
    .replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

describe("schema", () => {
  for (const [name, expected] of Object.entries(fingerprints)) {
    it(`${name} is what was agreed`, () => {
      const actual = createHash("sha256")
        .update(normalised(schemaText(name)))
        .digest("hex");
      assert.equal(
        actual,
        expected,
        `${name} has changed. Clients depend on it: names and numbers only ever get added, and hstream.proto not ` +
          "even that. If the change is meant, run `npm run proto`, check what old clients make of it, and put " +
          `${actual} into schema.test.ts.`,
      );
    });
  }

  it("has the 65 calls of the API in their order", () => {
    const declared = [
      ...normalised(schemaText("hstream.proto")).matchAll(
        /rpc (\w+)\((stream )?[\w.]+\) returns \((stream )?/g,
      ),
    ];
    const found = declared.map(([, name, asks, answers]) => `${name}${asks ? "<>" : answers ? ">>" : ""}`);
    assert.deepEqual(found, calls.split(" "));
    assert.equal(found.length, 65);
  });

  it("serves each call under its public path", () => {
    const paths = Object.values(HStreamApiService).map((method) => method.path);
    const names = calls.split(" ").map((call) => call.replace(/\W+$/, ""));
    assert.deepEqual(
      paths,
      names.map((name) => `/hstream.server.HStreamApi/${name}`),
    );
  });
});
