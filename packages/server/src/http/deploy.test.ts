import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { TestHttp } from "./test-http.test.helper.js";

const fileOf = (name: string) => readFileSync(new URL(`../../../../deploy/${name}`, import.meta.url), "utf8");

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}
interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

describe("the dashboard and the alert rules", () => {
  it("name only metrics that the server has", async () => {
    const http = await TestHttp.start();
    const text = await (await http.request("GET", "/metrics")).text();
    await http.close();
    const known = new Set(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = "", type]) => {
        return type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name];
      }),
    );
    const rules = (parse(fileOf("prometheus/alerts.yaml")) as Rules).groups.flatMap(({ rules }) => rules);
    const dashboard = JSON.parse(fileOf("grafana/hstream.json")) as Dashboard;
    const expressions = [
      ...rules.map(({ alert, expr }) => [alert, expr] as const),
      ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
    ];
    assert.ok(rules.length >= 5 && dashboard.panels.length >= 10);
    let named = 0;
    for (const [where, expression] of expressions) {
      for (const [name] of expression.matchAll(/\b(hstream|process|nodejs)_[a-z0-9_]+/g)) {
        named += 1;
        assert.ok(known.has(name), `${where} names ${name}, which there is not`);
      }
    }
    assert.ok(named > 30);
  });

  it("leave no metric of our own out of the dashboard that counts traffic", () => {
    const dashboard = fileOf("grafana/hstream.json");
    for (const name of [
      "append_bytes",
      "read_bytes",
      "delivered_records",
      "acked_records",
      "query_rows_in",
    ]) {
      assert.ok(dashboard.includes(`hstream_${name}_total`), name);
    }
  });
});
