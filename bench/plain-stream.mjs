/**
 * The floor of the benchmarks over gRPC: a server that streams as many messages of a size as it is asked for,
 * and one that answers every message with the one it was started with (base64, the second argument). With the
 * third argument `wide` its callers may send as much before it has read it as those of HStream.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { widenWindows } from "../packages/server/dist/rpc/receive-windows.js";

export const plainMethod = {
  path: "/bench.Plain/Stream",
  requestStream: false,
  responseStream: true,
  requestSerialize: (message) => message,
  requestDeserialize: (message) => message,
  responseSerialize: (message) => message,
  responseDeserialize: (message) => message,
};

export const answerMethod = { ...plainMethod, path: "/bench.Plain/Answer", responseStream: false };

if (process.argv[2] === "serve") {
  const server = new Server();
  const widenBound = process.argv[4] === "wide" ? widenWindows(server) : () => undefined;
  const answer = Buffer.from(process.argv[3] ?? "", "base64");
  server.addService(
    { stream: plainMethod, answer: answerMethod },
    {
      answer: (_call, done) => done(null, answer),
      stream(call) {
        const count = call.request.readUInt32LE(0);
        const message = Buffer.alloc(call.request.readUInt32LE(4));
        let sent = 0;
        const go = () => {
          while (sent < count) {
            sent += 1;
            if (!call.write(message)) return void call.once("drain", go);
          }
          call.end();
        };
        go();
      },
    },
  );
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    widenBound();
    console.log(port);
  });
}
