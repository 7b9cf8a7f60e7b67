// Writes packages/proto/src/generated from the schemas in packages/proto.
//   node scripts/generate-proto.mjs           writes
//   node scripts/generate-proto.mjs --check   writes nothing; fails where the files differ
// The generators are fetched when this runs, in exactly these versions, so that an install does without.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const generators = { protoc: "36.2.0", "ts-proto": "2.18.0" };
const schemas = ["hstream.proto", "hstream_ext.proto"];
const wellKnown = ["empty", "struct", "timestamp"].map((name) => `google/protobuf/${name}.proto`);
const options = [
  "outputServices=grpc-js",
  "esModuleInterop=true",
  "importSuffix=.js",
  "enumsAsLiterals=true",
  "unrecognizedEnum=false", // a number no enum value has stays that number
  "forceLong=bigint",
  "oneof=unions-value",
  "useOptionals=messages",
  "useMapType=true", // a key may be called __proto__
  "useUnknownForValue=true",
  "useDate=false", // a timestamp may lie outside what Date can hold
  "outputJsonMethods=false",
  "useExactTypes=false",
  "annotateFilesWithVersion=false",
  "emitImportedFiles=false",
  "exportCommonSymbols=false", // each file has its own, of the same names
];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const schemaDir = join(root, "packages", "proto");
const targetDir = join(schemaDir, "src", "generated");

const modules = fetchGenerators();
const scratch = mkdtempSync(join(tmpdir(), "generate-proto-"));
try {
  // The comments of the well-known types are not ours to copy.
  runProtoc(schemas, options);
  runProtoc(wellKnown, [...options, "comments=false"]);
  const generated = filesBelow(scratch);
  const present = existsSync(targetDir) ? filesBelow(targetDir) : new Map();
  if (process.argv.includes("--check")) check(generated, present);
  else write(generated, present);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** The node_modules folder that npx filled; never a protoc that happens to be on the PATH. */
function fetchGenerators() {
  const packages = Object.entries(generators).flatMap(([name, version]) => [
    "--package",
    `${name}@${version}`,
  ]);
  const printPath = ["node", "-p", "process.env.PATH"];
  const path = run("npx", ["--yes", ...packages, "--", ...printPath], {
    shell: process.platform === "win32",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const found = path
    .trim()
    .split(delimiter)
    .map((bin) => dirname(bin))
    .find((dir) =>
      Object.entries(generators).every(([name, version]) => installedVersion(dir, name) === version),
    );
  if (found === undefined) throw new Error("npx did not provide protoc and ts-proto");
  return found;
}

function installedVersion(dir, name) {
  const manifest = join(dir, name, "package.json");
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).version : undefined;
}

function runProtoc(files, pluginOptions) {
  const plugin = join(modules, ".bin", `protoc-gen-ts_proto${process.platform === "win32" ? ".cmd" : ""}`);
  run(process.execPath, [
    join(modules, "protoc", "protoc.cjs"),
    `--plugin=protoc-gen-ts_proto=${plugin}`,
    `--proto_path=${schemaDir}`,
    `--proto_path=${join(modules, "protoc", "include")}`,
    `--ts_proto_out=${scratch}`,
    `--ts_proto_opt=${pluginOptions.join(",")}`,
    ...files,
  ]);
}

function run(command, args, spawnOptions = { stdio: "inherit" }) {
  const result = spawnSync(command, args, { encoding: "utf8", ...spawnOptions });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`${command} ended with status ${result.status}`);
  return result.stdout;
}

/** Contents by path, relative to `dir`, with forward slashes. */
function filesBelow(dir) {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [relative(dir, path).split(sep).join("/"), readFileSync(path, "utf8")]));
}

function write(generated, present) {
  for (const name of present.keys()) if (!generated.has(name)) rmSync(join(targetDir, name));
  for (const [name, text] of generated) {
    if (present.get(name) === text) continue;
    mkdirSync(dirname(join(targetDir, name)), { recursive: true });
    writeFileSync(join(targetDir, name), text);
    console.log(`wrote ${name}`);
  }
}

function check(generated, present) {
  const names = new Set([...generated.keys(), ...present.keys()]);
  const differing = [...names].filter((name) => generated.get(name) !== present.get(name));
  for (const name of differing)
    console.error(`packages/proto/src/generated/${name} does not match the schema`);
  if (differing.length > 0) {
    console.error("Run `npm run proto` and commit the result.");
    process.exitCode = 1;
  }
}
