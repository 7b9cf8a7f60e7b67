import assert from "node:assert/strict";
import fc from "fast-check";
import { formatAddress, parseServiceUrl } from "./address.js";
import { HStreamClientError } from "./errors.js";

describe("a service URL", () => {
  it("names servers, with a default port", () => {
    assert.deepEqual(parseServiceUrl("hstream://a:1,b,[::1]:3"), {
      secure: false,
      addresses: [
        { host: "a", port: 1 },
        { host: "b", port: 6570 },
        { host: "::1", port: 3 },
      ],
    });
  });

  it("asks for TLS with another scheme", () => {
    assert.deepEqual(parseServiceUrl("hstreams://a"), {
      secure: true,
      addresses: [{ host: "a", port: 6570 }],
    });
  });

  it("may leave the scheme out", () => {
    assert.deepEqual(parseServiceUrl("127.0.0.1:7000").addresses, [{ host: "127.0.0.1", port: 7000 }]);
  });

  it("is refused with a reason when it is something else", () => {
    for (const url of [
      "http://a:1",
      "hstreams://",
      "hstream://",
      "hstream://a:0",
      "hstream://a:99999",
      "a b",
    ]) {
      assert.throws(
        () => parseServiceUrl(url),
        (error) => error instanceof HStreamClientError && error.reason === "usage",
        url,
      );
    }
  });

  it("reads what it formats", () => {
    const host = fc.oneof(fc.constant("::1"), fc.ipV4(), fc.domain());
    fc.assert(
      fc.property(
        fc.array(fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) }, { noNullPrototype: true }), {
          minLength: 1,
        }),
        (all) => {
          assert.deepEqual(parseServiceUrl(`hstream://${all.map(formatAddress).join(",")}`).addresses, all);
        },
      ),
    );
  });
});
