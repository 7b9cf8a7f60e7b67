/**
 * Two rules about the graph of relative imports: rooms import one way, and nothing imports itself by a
 * detour. They read the sources themselves, since a resolver that follows TypeScript's `.js` endings
 * brings binaries for each platform.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";

const importPattern =
  /\b(?:import|export)\b[^;'"]*?\bfrom\s*["'](\.{1,2}\/[^"']+)["']|\bimport\s*["'](\.{1,2}\/[^"']+)["']/g;
/** Path → {mtime, imports}: files change between runs of an editor's linter. */
const known = new Map();

/** The source file that a relative import means, or undefined. */
function resolveImport(from, specifier) {
  const path = resolve(dirname(from), specifier);
  const candidates = [path.replace(/\.js$/, ".ts"), path.replace(/\.js$/, ".tsx"), path];
  return candidates.find((candidate) => existsSync(candidate));
}

function importsOf(file) {
  const modified = statSync(file).mtimeMs;
  const cached = known.get(file);
  if (cached?.modified === modified) return cached.imports;
  const imports = [...readFileSync(file, "utf8").matchAll(importPattern)]
    .map((match) => resolveImport(file, match[1] ?? match[2]))
    .filter((path) => path !== undefined && /\.tsx?$/.test(path));
  known.set(file, { modified, imports });
  return imports;
}

/** The shortest way along imports from `start` back to `target`, or undefined. */
function wayBack(start, target) {
  const cameFrom = new Map([[start, undefined]]);
  const queue = [start];
  for (const file of queue) {
    for (const next of importsOf(file)) {
      if (next === target) {
        const way = [];
        for (let at = file; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
        return way;
      }
      if (!cameFrom.has(next)) {
        cameFrom.set(next, file);
        queue.push(next);
      }
    }
  }
  return undefined;
}

function onRelativeImports(context, check) {
  const visit = (node) => {
    const specifier = node.source?.value;
    if (typeof specifier !== "string" || !specifier.startsWith(".")) return;
    const target = resolveImport(context.filename, specifier);
    if (target !== undefined) check(node.source, target);
  };
  return { ImportDeclaration: visit, ExportNamedDeclaration: visit, ExportAllDeclaration: visit };
}

const noCycle = {
  meta: { type: "problem", schema: [] },
  create(context) {
    return onRelativeImports(context, (node, target) => {
      const way = wayBack(target, context.filename);
      if (way === undefined) return;
      const names = [...way, context.filename].map((file) => file.split(sep).slice(-2).join("/"));
      context.report({ node, message: `An import cycle: ${names.join(" → ")}.` });
    });
  },
};

/** Options: the folder that the rooms stand in, and for each room those it may import. */
const rooms = {
  meta: { type: "problem", schema: [{ type: "string" }, { type: "object" }] },
  create(context) {
    const [folder, allowed] = context.options;
    const roomOf = (file) => {
      const at = file.split(sep).join("/").indexOf(`/${folder}/`);
      const [room, inside] = at < 0 ? [] : file.slice(at + folder.length + 2).split(sep);
      return inside === undefined ? undefined : room;
    };
    const from = roomOf(context.filename);
    if (from === undefined) return {};
    return onRelativeImports(context, (node, target) => {
      const to = roomOf(target);
      if (to === undefined || to === from || allowed[from]?.includes(to)) return;
      const may = allowed[from]?.join(", ") || "none";
      context.report({ node, message: `The room ${from} may not import from ${to} (it may from: ${may}).` });
    });
  },
};

export const importRules = { rules: { "no-cycle": noCycle, rooms } };
