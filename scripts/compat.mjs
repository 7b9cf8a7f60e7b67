/**
 * `npm run compat [client …]`: the official clients against our server, each with a server of its own, and
 * requests made of the OpenAPI document.
 * What the machine has no toolchain for is skipped, with the reason. `--require` makes that a failure.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "./free-port.mjs";
import { ready, root } from "./ready.mjs";
import { serve } from "./serve.mjs";

const bin = join(root, "packages/cli/bin/hstream.mjs");
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "hstream-compat");
const folder = (name) => join(root, "compat", name);

/** How each client is installed, and run. `prepare` gives the command, or throws the reason to skip. */
const clients = [
  { name: "python", prepare: preparePython },
  { name: "go", prepare: prepareGo },
  { name: "java-grpc", prepare: prepareJavaGrpc },
  { name: "openapi", prepare: prepareOpenApi },
];

/** Clients without a program of ours, and why: compat/README.md says what was tried. */
const absent = {
  java: "Maven Central as it is reached here has no io.hstream:hstreamdb-java, in no version; see java-grpc",
};

function preparePython() {
  need("python3", ["--version"]);
  const files = ["build-requirements.txt", "requirements.txt"].map((file) => join(folder("python"), file));
  const place = cacheOf("python", files);
  const python = join(place, "bin/python");
  once(place, () => {
    tool("python3", ["-m", "venv", "--clear", place]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    // The client is published as source only, and its build needs tools older than pip would take.
    tool(python, [...pip, "-r", files[0]]);
    tool(python, [...pip, "--no-build-isolation", "--only-binary", "grpcio,protobuf", "-r", files[1]]);
  });
  return [python, ["compat.py"]];
}

/** No client but a tool: it makes requests of the document that REST is described by. */
function prepareOpenApi() {
  need("python3", ["--version"]);
  const requirements = join(folder("openapi"), "requirements.txt");
  const place = cacheOf("openapi", [requirements]);
  const python = join(place, "bin/python");
  once(place, () => {
    tool("python3", ["-m", "venv", "--clear", place]);
    tool(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  });
  return [python, ["compat.py"]];
}

function prepareGo() {
  need("go", ["version"]);
  const files = ["go.mod", "go.sum", "main.go"].map((file) => join(folder("go"), file));
  const place = cacheOf("go", files);
  const program = join(place, "compat");
  once(place, () => {
    mkdirSync(place, { recursive: true });
    tool("go", ["build", "-o", program, "."], folder("go"));
  });
  return [program, []];
}

/** Not the Java client, but its calls on plain grpc-java. */
function prepareJavaGrpc() {
  need("java", ["-version"]);
  need("mvn", ["--version"]);
  const sources = join(folder("java-grpc"), "src/main/java/compat");
  const files = [join(root, "packages/proto/hstream.proto"), join(folder("java-grpc"), "pom.xml")];
  for (const name of readdirSync(sources).sort()) files.push(join(sources, name));
  const place = cacheOf("java-grpc", files);
  once(place, () => tool("mvn", ["-q", "-B", `-Doutput=${place}`, "package"], folder("java-grpc")));
  const path = [join(place, "classes"), join(place, "libraries/*")].join(delimiter);
  return ["java", ["-cp", path, "compat.Compat"]];
}

function need(command, args) {
  if (spawnSync(command, args).status !== 0) throw new Error(`${command} is not installed`);
}

/** A folder of the cache that belongs to these very files. */
function cacheOf(name, files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return join(cache, `${name}-${hash.digest("hex").slice(0, 12)}`);
}

function once(place, install) {
  const stamp = join(place, ".installed");
  if (existsSync(stamp)) return;
  install();
  writeFileSync(stamp, "");
}

function tool(command, args, cwd = root) {
  const { status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args[0]} failed:\n${stdout}${stderr}`);
}

const token = "Y29tcGF0OmNvbXBhdA==";

/** Files for a server that asks for TLS, a client's certificate and a token. */
async function writeSecrets() {
  const { certificates } = await import(join(root, "packages/proto/dist/testing/index.js"));
  const place = mkdtempSync(join(tmpdir(), "hstream-secrets-"));
  const write = (name, text) => writeFileSync(join(place, name), text, { mode: 0o600 });
  for (const [name, { cert, key }] of Object.entries(certificates)) {
    write(`${name}.crt`, cert);
    if (key !== undefined) write(`${name}.key`, key);
  }
  write("tokens", `admin ${token}\n`);
  return place;
}

/** Runs a program against servers of its own, an open one and a secure one; its closing counts. */
async function run(name, [command, args]) {
  const secrets = await writeSecrets();
  const restPort = await freePort();
  const open = await serve(bin, ["--set", `http-port=${restPort}`]);
  const of = (setting, file) => ["--set", `${setting}=${join(secrets, file)}`];
  const tls = [...of("tls.cert", "server.crt"), ...of("tls.key", "server.key")];
  const mutual = await serve(bin, [...tls, ...of("tls.ca", "ca.crt")]);
  const secure = await serve(bin, [...tls, ...of("tokens-file", "tokens")]);
  const servers = { open, mutual, secure };
  try {
    const child = spawn(command, args, {
      cwd: folder(name),
      stdio: ["pipe", "pipe", "inherit"],
      env: {
        ...process.env,
        HSTREAM_ADDRESS: `127.0.0.1:${open.port}`,
        HSTREAM_REST: `http://127.0.0.1:${restPort}`,
        HSTREAM_MUTUAL_ADDRESS: `127.0.0.1:${mutual.port}`,
        HSTREAM_SECURE_ADDRESS: `127.0.0.1:${secure.port}`,
        HSTREAM_SECRETS: secrets,
        HSTREAM_TOKEN: token,
      },
    });
    let counts = [0, 1];
    for await (const line of createInterface(child.stdout)) {
      const restart = /^@restart (open|mutual|secure)$/.exec(line);
      if (restart) {
        await servers[restart[1]].restart();
        child.stdin.write("restarted\n");
        continue;
      }
      const closing = /^(\d+) passed, (\d+) failed$/.exec(line);
      if (closing) counts = [Number(closing[1]), Number(closing[2])];
      else console.log(`  ${line}`);
    }
    return counts;
  } finally {
    await Promise.all(Object.values(servers).map((each) => each.stop()));
    rmSync(secrets, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const required = process.argv.includes("--require");
ready();
const total = { passed: 0, failed: 0, skipped: 0 };
for (const { name, prepare } of clients) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  let command;
  try {
    command = prepare();
  } catch (error) {
    total[required ? "failed" : "skipped"] += 1;
    console.log(`${name}: ${required ? "FAILED" : "skipped"}: ${error.message}`);
    continue;
  }
  console.log(`${name}:`);
  const [passed, failed] = await run(name, command);
  console.log(`${name}: ${passed} passed, ${failed} failed.`);
  total.passed += passed;
  total.failed += failed;
}
for (const [name, reason] of Object.entries(absent)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  total.skipped += 1;
  console.log(`${name}: skipped: ${reason}`);
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exit(total.failed === 0 ? 0 : 1);
