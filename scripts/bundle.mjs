/**
 * Bundles the command line tool, the server and the worker into packages/cli/bundle, so that the
 * published package has no dependencies and starts quickly. With splitting, what a command does not
 * need is not loaded.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { root } from "./ready.mjs";

const outdir = join(root, "packages/cli/bundle");
rmSync(outdir, { recursive: true, force: true });
mkdirSync(outdir, { recursive: true });

/** Ink asks for the React development tools only when DEV is set; they are not shipped. */
const withoutDevtools = {
  name: "without-devtools",
  setup(bundler) {
    bundler.onResolve({ filter: /^react-devtools-core$/ }, (request) => ({
      path: request.path,
      namespace: "absent",
    }));
    bundler.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: "export default undefined;" }));
  },
};

/** Ink's layout engine would fetch the module that it carries within itself, and load all of undici for it. */
const withoutFetch = {
  name: "without-fetch",
  setup(bundler) {
    bundler.onLoad({ filter: /yoga-layout[/\\]dist[/\\]binaries[/\\].*\.js$/ }, ({ path }) => ({
      contents: `const fetch = undefined;\n${readFileSync(path, "utf8")}`,
    }));
  },
};

const result = await build({
  absWorkingDir: root,
  entryPoints: {
    hstream: "packages/cli/dist/main.js",
    worker: "packages/server/dist/executor/worker.js",
  },
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  sourcemap: false,
  metafile: true,
  legalComments: "none",
  chunkNames: "chunk-[hash]",
  define: { "process.env.NODE_ENV": '"production"', "process.env.DEV": '"false"' },
  banner: {
    js: [
      'import { createRequire as __createRequire } from "node:module";',
      'import { fileURLToPath as __fileUrl } from "node:url";',
      'import { dirname as __directory } from "node:path";',
      "const require = __createRequire(import.meta.url);",
      "const __filename = __fileUrl(import.meta.url);",
      "const __dirname = __directory(__filename);",
    ].join("\n"),
  },
  plugins: [withoutDevtools, withoutFetch],
  logLevel: "warning",
  // Outside the bundle, the tool sets NODE_ENV itself before it loads Ink.
  logOverride: { "assign-to-define": "silent" },
});

// Read by the zstd package from beside the file that it is bundled into.
copyFileSync(join(root, "node_modules/@bokuweb/zstd-wasm/dist/esm/zstd.wasm"), join(outdir, "zstd.wasm"));
writeFileSync(join(outdir, "THIRD-PARTY-LICENSES.txt"), licencesOf(Object.keys(result.metafile.inputs)));

/** The licence text of every package that went into the bundle. */
function licencesOf(inputs) {
  const packages = new Map();
  for (const input of inputs) {
    const at = input.lastIndexOf("node_modules/");
    if (at < 0) continue;
    const parts = input.slice(at + "node_modules/".length).split("/");
    const name = parts[0].startsWith("@") ? `${parts[0]}/${parts[1]}` : parts[0];
    packages.set(name, resolve(root, input.slice(0, at), "node_modules", ...name.split("/")));
  }
  return [...packages]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, directory]) => `${name} ${describe(directory)}`)
    .join(`\n${"-".repeat(78)}\n\n`);
}

function describe(directory) {
  const { version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const file = readdirSync(directory).find((name) => /^(licen[cs]e|copying)/i.test(name));
  const text = file === undefined ? "" : readFileSync(join(directory, file), "utf8");
  return `${version} (${license})\n\n${text.trim()}\n`;
}
