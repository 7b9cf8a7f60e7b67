import assert from "node:assert/strict";
import { parseAddress } from "./address.js";
import { type ConfigSources, resolveConfig } from "./resolve-config.js";
import { environmentName, settings } from "./settings.js";

const configOf = (sources: ConfigSources) => {
  const resolved = resolveConfig(sources);
  assert.equal(resolved.kind, "config", JSON.stringify(resolved));
  return resolved.kind === "config" ? resolved.config : assert.fail();
};
const errorsOf = (sources: ConfigSources) => {
  const resolved = resolveConfig(sources);
  return resolved.kind === "errors"
    ? resolved.errors.map(({ where, message }) => `${where}: ${message}`)
    : [];
};

describe("configuration", () => {
  it("has a default for every setting, each of which its own schema accepts", () => {
    const config = configOf({});
    assert.equal(config.host, "127.0.0.1");
    assert.equal(config.port, 6570);
    for (const [name, setting] of Object.entries(settings)) {
      if (name !== "advertisedAddress") assert.ok(setting.schema.safeParse(setting.default).success, name);
    }
  });

  it("prefers flags to the environment, that to the context, that to the file, that to the default", () => {
    const file = { fileText: "port: 1\n" };
    const context = { ...file, context: { port: 2 } };
    const environment = { ...context, environment: { HSTREAM_PORT: "3" } };
    const flags = { ...environment, flags: { port: "4" } };
    assert.deepEqual(
      [{}, file, context, environment, flags].map((sources) => configOf(sources).port),
      [6570, 1, 2, 3, 4],
    );
  });

  it("reads nested keys of the file and their variables", () => {
    const fileText = "subscriptions:\n  default-dispatch: round-robin\n";
    assert.equal(configOf({ fileText }).defaultDispatch, "round-robin");
    assert.equal(environmentName("subscriptions.default-dispatch"), "HSTREAM_SUBSCRIPTIONS_DEFAULT_DISPATCH");
  });

  it("names the line, the key and the nearest known key of what it does not know", () => {
    assert.deepEqual(errorsOf({ fileText: "host: localhost\nmax-record-siz: 5\n", fileName: "h.yaml" }), [
      "h.yaml, line 2: max-record-siz is not a setting. Did you mean max-record-size?",
    ]);
    assert.deepEqual(
      errorsOf({ environment: { HSTREAM_PROT: "1", HSTREAM_SOMETHING_ELSE: "1", HOME: "x" } }),
      ["environment: HSTREAM_PROT is not a setting. Did you mean HSTREAM_PORT?"],
    );
    assert.match(
      errorsOf({ flags: { zzzzzz: 1 } }).join(),
      /zzzzzz is not a setting\. Known are: data-dir, /,
    );
  });

  it("says what a value must be, and reports every error at once", () => {
    assert.deepEqual(errorsOf({ flags: { port: "many", fsync: "sometimes" }, fileText: "host: [a]\n" }), [
      "configuration, line 1: host must be a single value.",
      'flag: port is "many"; it must be a whole number from 0 to 65535.',
      'flag: fsync is "sometimes"; it must be one of always, interval, never.',
    ]);
    for (const port of [-1, 65_536, 1.5, "", "0x10", true])
      assert.equal(errorsOf({ flags: { port } }).length, 1);
  });

  it("reads addresses with and without a port, of either version of IP", () => {
    assert.deepEqual(parseAddress("db.example.com"), { host: "db.example.com", port: undefined });
    assert.deepEqual(parseAddress("10.0.0.1:6570"), { host: "10.0.0.1", port: 6570 });
    assert.deepEqual(parseAddress("[::1]:6570"), { host: "::1", port: 6570 });
    for (const bad of ["", ":1", "a:0", "a:65536", "a:b", "::1", "http://a", "a b"]) {
      assert.equal(parseAddress(bad), undefined, bad);
    }
    assert.match(
      errorsOf({ flags: { "advertised-address": "a:99999" } }).join(),
      /must be host or host:port/,
    );
  });

  it("refuses files that are no YAML map, with the line", () => {
    assert.match(errorsOf({ fileText: "port: 1\nport: 2\n" }).join(), /line 2/);
    assert.match(errorsOf({ fileText: "- a\n" }).join(), /must be a map/);
    assert.match(errorsOf({ fileText: "a: [\n" }).join(), /line/);
    assert.equal(configOf({ fileText: "" }).port, 6570);
    assert.equal(configOf({ fileText: "# nothing\n" }).port, 6570);
  });
});
