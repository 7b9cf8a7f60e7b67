/**
 * Makes a clone ready to run: installs what is missing, builds what is stale. Uses nothing but Node
 * and npm, since it runs before anything is installed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const stampDirectory = join(root, ".build");

/** Runs a command in the root; ends this process with its status when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) fail(`${command} could not be started: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Runs npm as this process was: by the npm that called us, else by the one on PATH. */
export function npm(args, options) {
  const script = process.env.npm_execpath;
  if (script?.endsWith(".js")) run(process.execPath, [script, ...args], options);
  else run(process.platform === "win32" ? "npm.cmd" : "npm", args, options);
}

function stampOf(name) {
  const file = join(stampDirectory, name);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function setStamp(name, value) {
  mkdirSync(stampDirectory, { recursive: true });
  writeFileSync(join(stampDirectory, name), value);
}

/** Runs `task` unless `fingerprint` is the one of its last success. */
function unlessDone(name, fingerprint, announcement, task) {
  if (stampOf(name) === fingerprint) return;
  console.error(announcement);
  task();
  setStamp(name, fingerprint);
}

/** Paths, sizes and modification times of all files below `path` that `keep` accepts. */
function describeFiles(path, keep, into) {
  const facts = statSync(path);
  if (facts.isDirectory()) {
    for (const name of readdirSync(path).sort()) describeFiles(join(path, name), keep, into);
  } else if (keep(path)) {
    into.update(`${path}\0${facts.size}\0${facts.mtimeMs}\n`);
  }
}

function sourcesFingerprint() {
  const hash = createHash("sha256").update(process.version);
  for (const name of readdirSync(join(root, "packages"))) {
    const directory = join(root, "packages", name);
    for (const part of ["src", "package.json", "tsconfig.json"]) {
      describeFiles(join(directory, part), (path) => !path.endsWith(".md"), hash);
    }
  }
  for (const file of ["tsconfig.base.json", "tsconfig.json", "scripts/bundle.mjs"]) {
    describeFiles(join(root, file), () => true, hash);
  }
  return hash.digest("hex");
}

function isBuilt() {
  return existsSync(join(root, "packages/cli/bundle/hstream.js"));
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`HStream needs Node 20.19 or newer; this is ${process.version}.`);
  }
}

export function install() {
  requireNode();
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (!existsSync(join(root, "node_modules"))) setStamp("installed", "");
  unlessDone("installed", lock, "Installing dependencies …", () => {
    npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      stdio: ["ignore", 2, 2],
    });
  });
}

/** Removes what was compiled from sources that are gone: a stale test would go on being run. */
function pruneOutputs() {
  for (const name of readdirSync(join(root, "packages"))) {
    const [from, to] = ["src", "dist"].map((part) => join(root, "packages", name, part));
    if (!existsSync(to)) continue;
    for (const output of readdirSync(to, { recursive: true })) {
      const source = join(from, output.replace(/(\.d\.ts|\.js)(\.map)?$/, ""));
      const isOutput = /\.(js|d\.ts)(\.map)?$/.test(output);
      if (isOutput && ![".ts", ".tsx"].some((ending) => existsSync(source + ending)))
        rmSync(join(to, output));
    }
  }
}

export function build() {
  if (!isBuilt()) setStamp("built", "");
  unlessDone("built", sourcesFingerprint(), "Building …", () => {
    pruneOutputs();
    run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b"], { stdio: ["ignore", 2, 2] });
    run(process.execPath, [join(root, "scripts/bundle.mjs")], { stdio: ["ignore", 2, 2] });
  });
}

export function ready() {
  install();
  build();
}
