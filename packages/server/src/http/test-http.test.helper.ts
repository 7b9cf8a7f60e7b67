import { loadInflate } from "@hstream/proto";
import { Cluster } from "../cluster/cluster.js";
import { createNodeEnv } from "../env/node-env.js";
import { TestRoom } from "../queries/test-room.js";
import { MeteredLog } from "../streams/metered-log.js";
import type { Authorize } from "./route.js";
import { HttpServer } from "./http-server.js";
import type { HttpRooms } from "./http-rooms.js";

/** The HTTP room on a free port, over a log and metadata in memory, with real sockets. */
export class TestHttp {
  readonly room: TestRoom;
  readonly rooms: HttpRooms;
  readonly server: HttpServer;
  readonly url: string;
  /** What was reported as unexpected: there should be none. */
  readonly defects: string[];

  private constructor(room: TestRoom, rooms: HttpRooms, server: HttpServer, defects: string[]) {
    this.room = room;
    this.rooms = rooms;
    this.server = server;
    this.url = `http://127.0.0.1:${server.port}`;
    this.defects = defects;
  }

  static async start(
    options: { readonly connectionsMax?: number; readonly authorize?: Authorize } = {},
  ): Promise<TestHttp> {
    const room = await TestRoom.open();
    const env = createNodeEnv();
    const { log, streams, appender, subscriptions, metrics, sql } = room;
    const rooms: HttpRooms = {
      ...{ env, streams, appender, subscriptions, metrics, sql },
      log: new MeteredLog(log, streams, metrics),
      cluster: new Cluster({ id: 7, host: "127.0.0.1", port: 6570, version: "0.0.0-test" }, env.clock),
      inflate: await loadInflate(1_048_576),
      recordBytesMax: 1_048_576,
    };
    const defects: string[] = [];
    const server = await HttpServer.start(rooms, {
      host: "127.0.0.1",
      port: 0,
      version: "0.0.0-test",
      knownAs: ["db.example"],
      report: (level, message, cause) => {
        if (level === "error") defects.push(`${message} ${String(cause)}`);
      },
      ...options,
    });
    return new TestHttp(room, rooms, server, defects);
  }

  request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const isText = typeof body === "string";
    return fetch(this.url + path, {
      method,
      headers: {
        ...(body === undefined || isText ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
  }

  /** The status and the JSON of the answer. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const response = await this.request(method, path, body, headers);
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  async close(): Promise<void> {
    await this.server.close(1_000, (ms) => this.rooms.env.timers.sleep(ms));
    await this.room.close();
  }
}
