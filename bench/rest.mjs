/**
 * REST ingest: ndjson with records of 250 bytes on one connection, durable, against a sink in a process
 * of its own that splits the lines and parses each. Then what the server's counting costs: appends in
 * process with and without it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { root } from "../scripts/ready.mjs";
import { freePort } from "../scripts/free-port.mjs";
import { serve } from "../scripts/serve.mjs";
import { bench } from "./harness.mjs";
import { meteringCases } from "./metering.mjs";

const recordBytes = 250;
const recordCount = 200_000;

if (process.argv.includes("--sink")) await sink();
else await main();

async function main() {
  const bin = join(root, "packages/cli/bin/hstream.mjs");
  const httpPort = await freePort();
  const server = await serve(bin, ["--set", `http-port=${httpPort}`]);
  const sinkProcess = spawn(process.execPath, [process.argv[1], "--sink"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(sinkProcess.stdout, "data");
  const sinkPort = Number(String(line));
  const body = Buffer.from(linesOf(recordCount));
  const made = await post(httpPort, "/v1/streams", "application/json", [
    Buffer.from(JSON.stringify({ stream_name: "bench" })),
  ]);
  if (made.status !== 200) throw new Error(made.text);
  try {
    await bench([
      {
        case: `ndjson in, ${recordBytes} B records, durable, one connection`,
        unit: "records/s",
        measure: () => rate(httpPort, "/v1/streams/bench/records", body),
        floor: () => rate(sinkPort, "/", body),
        target: "≥ 100000, ratio ≥ 0.4",
      },
      ...(await meteringCases()),
    ]);
  } finally {
    sinkProcess.kill();
    await server.stop();
  }
}

async function rate(port, path, body) {
  const chunks = [];
  for (let at = 0; at < body.length; at += 65_536) chunks.push(body.subarray(at, at + 65_536));
  const started = performance.now();
  const { status, text } = await post(port, path, "application/x-ndjson", chunks);
  const seconds = (performance.now() - started) / 1_000;
  const { records } = JSON.parse(text);
  if (status !== 200 || records !== recordCount) throw new Error(`${status} ${text}`);
  return recordCount / seconds;
}

function post(port, path, type, chunks) {
  return new Promise((resolve, reject) => {
    const call = request({ port, path, method: "POST", headers: { "content-type": type } }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode, text }));
    });
    call.on("error", reject);
    const send = async () => {
      for (const chunk of chunks) if (!call.write(chunk)) await once(call, "drain");
      call.end();
    };
    send().catch(reject);
  });
}

/** Records of a sensor, filled up to their size. */
function linesOf(count) {
  const lines = [];
  for (let id = 0; id < count; id++) {
    const record = {
      id,
      device: `sensor-${id % 1_000}`,
      time: "2026-01-02T03:04:05.678Z",
      temperature: 20 + (id % 100) / 7,
      humidity: 0.5,
      ok: id % 3 !== 0,
      tags: ["floor-1", "north"],
      note: "",
    };
    record.note = "x".repeat(recordBytes - 1 - JSON.stringify(record).length);
    lines.push(JSON.stringify(record));
  }
  return `${lines.join("\n")}\n`;
}

/** The floor: takes the same request, splits lines, parses each, keeps nothing. */
async function sink() {
  const server = createServer(async (call, response) => {
    let rest = Buffer.alloc(0);
    let records = 0;
    for await (const arrived of call) {
      const chunk = rest.length === 0 ? arrived : Buffer.concat([rest, arrived]);
      let at = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
        JSON.parse(chunk.toString("utf8", at, end));
        records += 1;
        at = end + 1;
      }
      rest = chunk.subarray(at);
    }
    response.end(JSON.stringify({ records }));
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}
