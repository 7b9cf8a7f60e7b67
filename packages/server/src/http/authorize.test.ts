import assert from "node:assert/strict";
import { HStreamError } from "../errors.js";
import { TestHttp } from "./test-http.test.helper.js";

describe("authorization of REST", () => {
  it("asks once by what the call needs, and once by the names in its address and body", async () => {
    const asked: unknown[] = [];
    const http = await TestHttp.start({
      authorize: ({ authorization: [authorization], need }) => {
        asked.push([authorization, need]);
        if (need === "write" && authorization !== "Bearer writer") throw refusal();
        return (names) => {
          asked.push(names);
          if (names.some((name) => !name.startsWith("mine"))) throw refusal();
        };
      },
    });
    const status = async (method: string, path: string, body?: unknown, token = "writer") =>
      (await http.call(method, path, body, { authorization: `Bearer ${token}` })).status;
    assert.equal(await status("POST", "/v1/streams", { stream_name: "mine1" }), 200);
    assert.deepEqual(asked.splice(0), [["Bearer writer", "write"], ["mine1"]]);
    assert.equal(await status("POST", "/v1/streams", { stream_name: "other" }), 403);
    assert.equal(await status("POST", "/v1/streams/mine1/records", { a: 1 }), 200);
    assert.equal(await status("POST", "/v1/streams/other/records", { a: 1 }), 403);
    assert.equal(await status("POST", "/v1/streams/mine1/records", { a: 1 }, "reader"), 403);
    assert.equal(await status("GET", "/v1/streams/mine1/records", undefined, "reader"), 200);
    const wanted = { subscription_id: "mine2", stream_name: "other" };
    assert.equal(await status("POST", "/v1/subscriptions", wanted), 403);
    assert.equal((await http.call("GET", "/healthz")).status, 200);
    await http.close();
    assert.deepEqual(http.defects, []);
  });
});

function refusal(): HStreamError {
  return new HStreamError("ForeignOrigin", { reason: "No." });
}
