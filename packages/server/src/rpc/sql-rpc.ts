import type { ServerWritableStream } from "@grpc/grpc-js";
import { type ExecuteSqlRequest, ExecuteSqlResponse, HStreamExtService, unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { Handlers } from "./handlers.js";
import { Outgoing } from "./outgoing.js";
import type { SqlEvent, SqlService } from "../queries/sql-service.js";
import { refuseMalformed } from "./tolerant.js";

/** An answer as it goes over the wire: rows are encoded already, so all of them are. */
type EncodedSqlEvent = Buffer;

/** ExecuteSql, with answers that are encoded where they are made. */
export const sqlMethod = {
  ...HStreamExtService.executeSql,
  responseSerialize: (encoded: EncodedSqlEvent) => encoded,
};

/** ExecuteSql: runs a script and streams what comes of it, as fast as the caller reads. */
export function sqlRpc(handlers: Handlers, sql: SqlService) {
  const executeSql = (call: ServerWritableStream<ExecuteSqlRequest, EncodedSqlEvent>) => {
    const abort = new AbortController();
    let ready: () => void = () => {};
    const leave = handlers.enter(() => {
      abort.abort(new HStreamError("ShuttingDown", {}));
      ready();
    });
    const outgoing = new Outgoing(call, () => ready());
    call.on("cancelled", () => {
      outgoing.abandon();
      abort.abort(new Error("the caller has gone"));
      ready();
    });
    const run = async () => {
      handlers.refuseWhenClosing();
      refuseMalformed(call.request);
      checkLength(call.request.sql);
      for await (const event of sql.execute(call.request.sql, abort.signal)) {
        if (outgoing.ended) break;
        const encoded = encode(event);
        if (!outgoing.send(encoded, encoded.length) && !outgoing.ended) {
          await new Promise<void>((resolve) => {
            ready = resolve;
            if (abort.signal.aborted) resolve();
          });
        }
        // A shutdown while rows flow ends the call with its own status.
        abort.signal.throwIfAborted();
      }
      outgoing.end();
    };
    run()
      .catch((error: unknown) => {
        // What a query says when its caller has gone interests nobody.
        if (!outgoing.ended) outgoing.fail(handlers.calls.statusOf(error, call));
      })
      .finally(leave);
  };
  return { executeSql };
}

function checkLength(sql: string): void {
  const bytes = Buffer.byteLength(sql);
  if (bytes <= limits.sqlTextBytesMax) return;
  const message = `The script has ${bytes} bytes; sqlTextBytesMax is ${limits.sqlTextBytesMax}. Split it.`;
  throw new HStreamError("InvalidSql", { message });
}

function encode(event: SqlEvent): EncodedSqlEvent {
  switch (event.kind) {
    case "rows":
      return encodeRows(event.encoded);
    case "header": {
      const { kind: _, statementKind, ...fields } = event;
      return encodeEvent({ $case: "header", value: { ...fields, kind: statementKind } });
    }
    case "done": {
      const { kind: _, ...value } = event;
      return encodeEvent({ $case: "done", value });
    }
    default:
      return unreachable(event);
  }
}

function encodeEvent(event: NonNullable<ExecuteSqlResponse["event"]>): Buffer {
  return Buffer.from(ExecuteSqlResponse.encode({ event }).finish());
}

/**
 * ExecuteSqlResponse with its field `rows`:
 *
 *   ┌──────┬───────────────┬──────────┐
 *   │ 0x12 │ length varint │ RowBatch │
 *   └──────┴───────────────┴──────────┘
 */
function encodeRows(encoded: Uint8Array): Buffer {
  const head: number[] = [0x12];
  let length = encoded.length;
  for (; length >= 0x80; length >>>= 7) head.push((length & 0x7f) | 0x80);
  head.push(length);
  return Buffer.concat([Uint8Array.from(head), encoded]);
}
