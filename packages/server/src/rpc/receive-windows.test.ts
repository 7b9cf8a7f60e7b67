import assert from "node:assert/strict";
import { once } from "node:events";
import { limits } from "../limits.js";
import { RawClient } from "./raw-client.test.helper.js";
import { startTestServer } from "./test-server.test.helper.js";

describe("the windows that callers may fill", () => {
  it("are as the limits say, of a call and of a connection", async () => {
    const server = await startTestServer();
    const client = new RawClient(server.server.address);
    const { session } = client;
    try {
      await once(session, "connect");
      // The answer to a ping comes after everything that the server sent before.
      await new Promise((resolve) => session.ping(resolve));
      assert.equal(session.remoteSettings.initialWindowSize, limits.callWindowBytes);
      assert.equal(session.state.remoteWindowSize, limits.connectionWindowBytes);
    } finally {
      client.close();
      await server.close();
    }
  });
});
