/**
 * The house rules that a machine can check. Formatting is biome's.
 */
import tseslint from "typescript-eslint";
import { importRules } from "./scripts/lint/import-rules.mjs";

/** What each package may import of the others. */
const packageLayers = {
  proto: [],
  sql: ["@hstream/proto"],
  client: ["@hstream/proto"],
  server: ["@hstream/proto", "@hstream/sql"],
  cli: ["@hstream/proto", "@hstream/client", "@hstream/sql", "@hstream/server"],
};
/** What their tests may import besides. */
const testLayers = { client: ["@hstream/server"] };
const packages = ["@hstream/proto", "@hstream/sql", "@hstream/server", "@hstream/client"];
/** The subpaths that packages export on purpose; every other one is a deep import. */
const exported = [
  "@hstream/proto/testing",
  "@hstream/sql/runtime",
  "@hstream/sql/tokens",
  "@hstream/client/test-kit",
];

/** What each room of the server may import of the other rooms. */
const roomLayers = {
  env: [],
  metrics: ["env"],
  log: ["env"],
  meta: ["env", "log"],
  config: [],
  executor: ["env"],
  "sql-tests": ["executor"],
  cluster: ["env", "meta"],
  streams: ["env", "metrics", "log", "meta"],
  subscription: ["env", "metrics", "log", "meta", "streams"],
  connectors: ["env", "meta", "streams"],
  queries: [
    "env",
    "metrics",
    "log",
    "meta",
    "config",
    "cluster",
    "streams",
    "subscription",
    "connectors",
    "executor",
  ],
  rpc: [
    "env",
    "metrics",
    "log",
    "meta",
    "config",
    "cluster",
    "streams",
    "subscription",
    "connectors",
    "queries",
  ],
  http: [
    "env",
    "metrics",
    "log",
    "meta",
    "config",
    "cluster",
    "streams",
    "subscription",
    "connectors",
    "queries",
  ],
};

/** The only places that may touch a clock, a timer, randomness, files or sockets. */
const edges = [
  "packages/server/src/env/**",
  "packages/cli/src/system/**",
  "packages/cli/src/test-kit/**",
  "packages/client/src/system.ts",
  "**/*.test.ts",
  "**/*.test.helper.ts",
  "**/*.test.tsx",
  "**/*.test.helper.ts",
];

const through = "comes in through env, so that a test can own it";

const effects = {
  "no-restricted-globals": [
    "error",
    ...["setTimeout", "setInterval", "setImmediate", "performance", "fetch"].map((name) => ({
      name,
      message: `${name} ${through}.`,
    })),
  ],
  "no-restricted-properties": [
    "error",
    { object: "Date", property: "now", message: `The clock ${through}.` },
    { object: "Math", property: "random", message: `Randomness ${through}.` },
    { object: "process", property: "hrtime", message: `The clock ${through}.` },
  ],
  "no-restricted-syntax": [
    "error",
    {
      selector: "NewExpression[callee.name='Date'][arguments.length=0]",
      message: `The clock ${through}.`,
    },
  ],
};

const effectModules = [
  "fs",
  "fs/promises",
  "net",
  "dgram",
  "http",
  "http2",
  "tls",
  "timers",
  "timers/promises",
].map((name) => ({ name: `node:${name}`, message: `node:${name} ${through}.` }));

function importsOf(name, withEffects) {
  const allowed = [...packageLayers[name], ...(withEffects ? (testLayers[name] ?? []) : [])];
  return {
    "no-restricted-imports": [
      "error",
      {
        paths: [
          ...(withEffects ? [] : effectModules),
          ...packages
            .filter((other) => !allowed.includes(other))
            .map((other) => ({
              name: other,
              message: `${name} may not import ${other}: imports go one way.`,
            })),
        ],
        patterns: [
          {
            group: ["@hstream/*/*", ...exported.map((path) => `!${path}`)],
            message: "A deep import: use what the package exports.",
          },
        ],
      },
    ],
  };
}

export default tseslint.config(
  {
    ignores: [
      "**/dist/**",
      "**/bundle/**",
      "**/generated/**",
      ".build/**",
      "**/*.mjs",
      "**/*.cjs",
      "compat/**",
    ],
  },
  {
    files: ["**/*.ts", "**/*.tsx"],
    plugins: { "@typescript-eslint": tseslint.plugin, imports: importRules },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/ban-ts-comment": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/no-unnecessary-type-assertion": "error",
      "no-empty": "error",
      eqeqeq: "error",
      "imports/no-cycle": "error",
      "imports/rooms": ["error", "packages/server/src", roomLayers],
      ...effects,
    },
  },
  ...Object.keys(packageLayers).map((name) => ({
    files: [`packages/${name}/src/**/*.ts`, `packages/${name}/src/**/*.tsx`],
    rules: importsOf(name, false),
  })),
  ...Object.keys(packageLayers).map((name) => ({
    files: edges
      .map((edge) => (edge.startsWith("**") ? `packages/${name}/src/${edge}` : edge))
      .filter((edge) => edge.startsWith(`packages/${name}/`)),
    rules: {
      ...importsOf(name, true),
      "no-restricted-globals": "off",
      "no-restricted-properties": "off",
      "no-restricted-syntax": "off",
    },
  })),
);
