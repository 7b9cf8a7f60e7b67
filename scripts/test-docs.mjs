/**
 * Runs the examples of README.md and docs/: in every ```console block, a line that starts with `$ ` is
 * run by a shell, and what it prints must be the lines below it. `…` on a line stands for any text, a
 * line that is only `…` for any lines. The blocks of one file share one server, of which $REST is the address
 * of REST; `npx hstream` is ours.
 *
 * The ```js blocks of a file are one program, against the same server, with what it prints in the ```output
 * blocks between them.
 */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ready, root } from "./ready.mjs";
import { freePort } from "./free-port.mjs";
import { serve } from "./serve.mjs";

ready();
const bin = join(root, "packages/cli/bin/hstream.mjs");
let passed = 0;
let failed = 0;

for (const file of ["README.md", ...markdownFiles("docs")]) {
  const text = readFileSync(join(root, file), "utf8");
  const examples = examplesOf(text);
  const program = blocksOf(text, "js");
  if (examples.length === 0 && program.length === 0) continue;
  const httpPort = await freePort();
  const server = await serve(bin, ["--set", `http-port=${httpPort}`]);
  const environment = environmentFor(server, httpPort);
  const judge = (title, printed, expected) => {
    if (matches(printed, expected)) passed++;
    else {
      failed++;
      console.log(`${file}: ${title}\n-- expected\n${expected.join("\n")}\n-- printed\n${printed}`);
    }
  };
  for (const { line, command, expected } of examples) {
    judge(`line ${line}: $ ${command}`, await runShell(command, environment), expected);
  }
  if (program.length > 0) {
    const source = program.join("\n").replaceAll("127.0.0.1:6570", `127.0.0.1:${server.port}`);
    const printed = await run(process.execPath, ["--input-type=module", "-e", source], environment);
    judge("the js blocks", printed, blocksOf(text, "output"));
  }
  await server.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function markdownFiles(directory) {
  return readdirSync(join(root, directory), { recursive: true })
    .map((name) => join(directory, name))
    .filter((name) => name.endsWith(".md"))
    .sort();
}

function examplesOf(text) {
  const examples = [];
  let inside = false;
  text.split("\n").forEach((content, index) => {
    if (content.startsWith("```")) inside = content === "```console";
    else if (inside && content.startsWith("$ ")) {
      examples.push({ line: index + 1, command: content.slice(2), expected: [] });
    } else if (inside) examples.at(-1)?.expected.push(content);
  });
  return examples;
}

/** `npx hstream` and `hstream` run this clone's build against the example server. */
function environmentFor(server, httpPort) {
  const directory = join(server.directory, "bin");
  mkdirSync(directory);
  const wrap = (name, script) => {
    writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(directory, name), 0o755);
  };
  wrap("hstream", `exec "${process.execPath}" "${bin}" "$@"`);
  wrap("npx", 'exec "$@"');
  return {
    ...process.env,
    PATH: `${directory}${delimiter}${process.env.PATH}`,
    HSTREAM_PORT: String(server.port),
    REST: `http://127.0.0.1:${httpPort}`,
    NO_COLOR: "1",
  };
}

/** The lines of all blocks of a language. */
function blocksOf(text, language) {
  const lines = [];
  let inside = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) inside = line === `\`\`\`${language}`;
    else if (inside) lines.push(line);
  }
  return lines;
}

function runShell(command, env) {
  return run("sh", ["-c", command], env);
}

function run(program, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (printed += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (printed += text));
    child.on("error", reject);
    child.on("close", () => resolve(printed));
  });
}

function matches(printed, expected) {
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*");
  const lines = expected.map((line) =>
    line.trim() === "…" ? "(?:.*\\n)*?" : `${escaped(line.trimEnd())}\\n`,
  );
  return new RegExp(`^${lines.join("")}$`).test(printed.replace(/[ \t]+\n/g, "\n"));
}
