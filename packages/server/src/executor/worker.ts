import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { assert, must } from "@hstream/proto";
import { loadInflate } from "@hstream/proto";
import { nodeClock } from "../env/node-clock.js";
import { type FromWorker, protocolVersion, type ToWorker, type WorkerSetup } from "./protocol.js";
import { WorkerLoop } from "./worker-loop.js";

/** The entry of a worker thread: connects the loop with the port. */
const port = must(parentPort, "this file is started as a worker thread");
const setup = workerData as WorkerSetup;
assert(setup.version === protocolVersion, "main thread and worker are of one build");

const loop = new WorkerLoop(
  setup,
  await loadInflate(setup.limits.inflatedBytesMax),
  (message, transfer) => port.postMessage(message, transfer),
  nodeClock.monotonic,
);

port.on("message", (first: ToWorker) => {
  loop.receive(first);
  // Between steps look for messages without going back to the event loop, so that a cancelled query
  // ends and a new one gets its turn while others have work.
  while (loop.runStep()) {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      loop.receive(next.message as ToWorker);
    }
  }
});
port.postMessage({ kind: "ready", version: protocolVersion } satisfies FromWorker);
