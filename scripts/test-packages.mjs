/**
 * Packs what is published, installs it into an empty project with scripts switched off, and uses it:
 * the command line tool with its server, and the client as a library.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { npm, ready, root } from "./ready.mjs";
import { serve } from "./serve.mjs";

const packageBytesMax = 8 * 1024 * 1024;

ready();
const directory = mkdtempSync(join(tmpdir(), "hstream-packages-"));
let passed = 0;
let failed = 0;
const server = { current: undefined };
try {
  npm(
    [
      "pack",
      "--silent",
      "-w",
      "hstream",
      "-w",
      "@hstream/client",
      "-w",
      "@hstream/proto",
      "--pack-destination",
      directory,
    ],
    {
      stdio: ["ignore", 2, 2],
    },
  );
  const tarballs = readdirSync(directory).map((name) => join(directory, name));
  writeFileSync(join(directory, "package.json"), '{ "private": true, "type": "module" }\n');
  npm(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", ...tarballs], {
    cwd: directory,
    stdio: ["ignore", 2, 2],
  });
  const bin = join(directory, "node_modules/hstream/bin/hstream.mjs");
  const tool = tarballs.find((path) => /\/hstream-\d/.test(path));
  check("the package is small", tool !== undefined && statSync(tool).size < packageBytesMax);
  check("hstream --version", /^hstream \d+\.\d+\.\d+/.test(hstream(bin, ["--version"]).stdout));
  server.current = await serve(bin);
  const at = ["--port", String(server.current.port)];
  check("stream create", hstream(bin, [...at, "stream", "create", "demo"]).status === 0);
  check(
    "sql insert",
    hstream(bin, [...at, "sql", "-e", "INSERT INTO demo (a, b) VALUES (1, 'x');"]).status === 0,
  );
  check(
    "sql select",
    hstream(bin, [...at, "sql", "-o", "json", "-e", "SELECT a, b FROM demo;"]).stdout ===
      '[{"a":1,"b":"x"}]\n',
  );
  writeFileSync(
    join(directory, "client.mjs"),
    `import { HStreamClient } from "@hstream/client";
     const client = await HStreamClient.connect("hstream://127.0.0.1:${server.current.port}");
     const names = (await client.streams.list()).map((stream) => stream.name);
     await client.append("demo", [{ a: 2 }], { compression: "zstd" });
     for await (const { json } of client.read("demo", { until: "latest" })) names.push(json.a);
     await client.close();
     console.log(names.join());`,
  );
  check("the client as a library", node(["client.mjs"]).stdout === "demo,1,2\n");
  const files = filesOf(join(directory, "node_modules/@hstream/client"));
  const strange = files.filter(
    (name) => !/^(dist\/.+\.(js|js\.map|d\.ts)|package\.json|README\.md)$/.test(name),
  );
  check(
    "the client brings code, types and its page, and no tests",
    strange.length === 0 && !files.some(isTest),
  );
  if (strange.length > 0) console.log(strange.join("\n"));
  check("the client's types serve a program", compiles(directory));
  check("SIGTERM ends it with 0", (await server.current.stop()) === 0);
  server.current = undefined;
  const quickstart = hstream(bin, ["quickstart"]);
  check("quickstart without the repository's data", quickstart.status === 0 && quickstart.stdout.length > 0);
} finally {
  await server.current?.stop();
  rmSync(directory, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function isTest(name) {
  return /test/.test(name);
}

/** Whether a program in strict TypeScript can use the client as it is installed. */
function compiles(directory) {
  writeFileSync(
    join(directory, "program.ts"),
    `import { HStreamClient, jsonRecord, type RecordId } from "@hstream/client";
     interface Order { readonly customer: string; readonly price: number }
     const type = jsonRecord<Order>({ key: ({ customer }) => customer });
     await using client = await HStreamClient.connect("hstream://127.0.0.1:6570");
     const ids: readonly RecordId[] = await client.append("orders", [{ customer: "ada", price: 3 }], { type });
     // @ts-expect-error: an order has a price
     await client.append("orders", [{ customer: "ada" }], { type });
     for await (const record of client.consume("billing", { type })) {
       const price: number = record.value.price;
       record.ack();
     }
     for await (const { total } of client.query<{ total: number }>("SELECT 1 AS total;")) total.toFixed();
     export const count: number = ids.length;`,
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const types = join(root, "node_modules/@types");
  const options = ["--noEmit", "--strict", "--target", "esnext", "--module", "nodenext", "--types", "node"];
  return node([tsc, ...options, "--typeRoots", types, "program.ts"]).status === 0;
}

function hstream(bin, args) {
  return node([bin, ...args]);
}

function node(args) {
  const result = spawnSync(process.execPath, args, {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, HOME: directory, XDG_DATA_HOME: directory, XDG_STATE_HOME: directory },
    timeout: 120_000,
  });
  if (result.status !== 0) console.log(`${args.join(" ")}\n${result.stdout}${result.stderr}`);
  return result;
}

function check(name, ok) {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? "ok    " : "FAILED"} ${name}`);
}
