/**
 * Drives the shell as a person does, in tmux, which is a terminal that nobody here has written: keys are
 * sent, a paste is pasted, windows change their size, and what counts is the screen and its scrollback.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ready, root } from "./ready.mjs";
import { serve } from "./serve.mjs";
import { printClosingLine } from "./tee.mjs";

const waitMs = 15_000;
/** Between a text and Enter, or the two are taken for a paste without marks. */
const handMs = 80;

const version = spawnSync("tmux", ["-V"], { encoding: "utf8" });
if (version.status !== 0) {
  console.log("skipped: the scenarios in tmux, since there is no tmux on this machine");
  printClosingLine({ passed: 0, failed: 0, skipped: 1 });
  process.exit(0);
}

ready();
const bin = join(root, "packages/cli/bin/hstream.mjs");
const socket = `hstream-${process.pid}`;
const server = await serve(bin);

function tmux(...args) {
  return execFileSync("tmux", ["-L", socket, "-f", "/dev/null", ...args], { encoding: "utf8" });
}

/** A terminal with `hstream sql` in it, below a shell of the system. */
class Terminal {
  static #count = 0;
  #name = `s${Terminal.#count++}`;

  constructor({ columns = 100, rows = 30, env = {}, args = ["sql"] } = {}) {
    const variables = {
      HOME: server.directory,
      XDG_STATE_HOME: join(server.directory, this.#name),
      XDG_CONFIG_HOME: server.directory,
      HSTREAM_PORT: String(server.port),
      CI: "true",
      ...env,
    };
    const flags = Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    tmux("new-session", "-d", "-s", this.#name, "-x", `${columns}`, "-y", `${rows}`, ...flags, "sh");
    tmux("set-option", "-t", this.#name, "history-limit", "50000");
    this.key("Enter");
    this.text(`${process.execPath} ${bin} ${args.join(" ")}`);
    this.key("Enter");
  }

  /** Scrollback and screen. */
  screen() {
    const lines = tmux("capture-pane", "-p", "-t", this.#name, "-S", "-").split("\n");
    return lines
      .map((line) => line.trimEnd())
      .join("\n")
      .trimEnd();
  }

  /** What can be seen now. */
  visible() {
    return tmux("capture-pane", "-p", "-t", this.#name).trimEnd();
  }

  key(...names) {
    tmux("send-keys", "-t", this.#name, ...names);
  }

  text(text) {
    // tmux takes a semicolon at the end of an argument for its own.
    tmux("send-keys", "-t", this.#name, "-l", text.replace(/;$/, "\\;"));
  }

  /** Types a line and runs it. */
  async run(line) {
    this.text(line);
    // On a busy machine it takes a moment until it is there.
    await this.until(new RegExp(`${line.slice(-12).replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`));
    await sleep(handMs);
    this.key("Enter");
  }

  paste(text) {
    tmux("set-buffer", "-b", "pasted", text);
    tmux("paste-buffer", "-p", "-b", "pasted", "-t", this.#name);
  }

  resize(columns, rows) {
    tmux("resize-window", "-t", this.#name, "-x", `${columns}`, "-y", `${rows}`);
  }

  async until(pattern, of = () => this.screen()) {
    const started = Date.now();
    for (;;) {
      const text = of();
      if (pattern.test(text)) return text;
      if (Date.now() - started > waitMs) throw new Error(`never showed ${pattern}:\n${text}`);
      await sleep(30);
    }
  }

  /** Waits for an empty prompt at the end. */
  prompt() {
    return this.until(/^>$(?![^]*\S)/m);
  }

  end() {
    tmux("kill-session", "-t", this.#name);
  }
}

// It ends with its last session, so one stays.
tmux("new-session", "-d", "-s", "keeper", "sh");

const hstream = (...args) => {
  const env = { ...process.env, HSTREAM_PORT: String(server.port), XDG_CONFIG_HOME: server.directory };
  return execFileSync(process.execPath, [bin, ...args], { encoding: "utf8", env });
};

function check(holds, what, text = "") {
  if (!holds) throw new Error(`${what}\n${text}`);
}

const scenarios = {
  "statements over several lines, undo, history and its search": async (terminal) => {
    await terminal.prompt();
    await terminal.run("SELECT city,");
    await terminal.until(/^\|$/m);
    await terminal.run("seconds FROM visits LIMIT 1;");
    await terminal.until(/1 row/);
    await terminal.prompt();
    terminal.text("SELECT oops");
    await terminal.until(/oops$/);
    terminal.key("C-w");
    // What the history has of it stands there in grey.
    await terminal.until(/> SELECT city,$/);
    terminal.key("C-_");
    await terminal.until(/oops$/);
    terminal.key("C-u");
    await terminal.prompt();
    terminal.key("Up");
    await terminal.until(/> SELECT city,\n\| seconds FROM visits LIMIT 1;$/);
    terminal.key("C-c");
    await terminal.until(/Ctrl-Y brings it back/);
    terminal.key("C-r");
    terminal.text("seconds FROM");
    await terminal.until(/LIMIT 1;\nsearch: seconds FROM/);
    terminal.key("C-g");
    await terminal.prompt();
  },
  "a bracketed paste is one text, and does not run": async (terminal) => {
    await terminal.prompt();
    terminal.paste("SELECT 1 AS pasted\nFROM visits LIMIT 1;\nSELECT 2 AS second FROM visits LIMIT 1;\n");
    await terminal.until(/\| SELECT 2 AS second FROM visits LIMIT 1;/);
    await sleep(300);
    check(!/pasted │|1 row/.test(terminal.screen()), "it ran", terminal.screen());
    terminal.key("Enter");
    await terminal.until(/│ +2 │[^]*1 row/);
  },
  "completion: a menu, its choice, grey text, names of the server": async (terminal) => {
    await terminal.prompt();
    terminal.text("SELECT s");
    terminal.key("Left", "Right");
    await sleep(500);
    terminal.key("C-u");
    terminal.text("SELECT * FROM vis");
    await terminal.until(/> SELECT \* FROM visits/);
    terminal.key("Tab");
    await terminal.until(/> SELECT \* FROM visits/);
    terminal.text("WHERE ");
    terminal.key("Tab");
    await terminal.until(/city +STRING of visits/);
    terminal.key("Down");
    await terminal.until(/› city/);
    terminal.key("Escape");
    await terminal.until(/WHERE$/);
  },
  "rows of a push query, paused, in another form, and stopped": async (terminal) => {
    await terminal.prompt();
    await terminal.run("SELECT city, seconds FROM visits EMIT CHANGES;");
    await terminal.until(/watching/);
    hstream("sql", "-e", "INSERT INTO visits (city, seconds) VALUES ('Bregenz', 70);");
    await terminal.until(/Bregenz +│ +70/);
    await terminal.until(/▶ watching · 1 row/);
    terminal.key("C-s");
    await terminal.until(/⏸ paused/);
    hstream("sql", "-e", "INSERT INTO visits (city, seconds) VALUES ('Krems', 71);");
    await sleep(300);
    check(!/Krems/.test(terminal.screen()), "a row came while it was paused", terminal.screen());
    terminal.key("C-s");
    await terminal.until(/Krems/);
    terminal.text("typed ahead");
    await terminal.until(/watching[^\n]*\n> typed ahead$/);
    terminal.key("C-u");
    const started = Date.now();
    terminal.key("C-c");
    await terminal.until(/Stopped after 2 rows; the query has ended\./);
    check(Date.now() - started < 1_000, "it took long to stop");
    await terminal.prompt();
  },
  "a live table stays in the scrollback as it was last": async (terminal) => {
    await terminal.prompt();
    await terminal.run(":live on");
    await terminal.prompt();
    await terminal.run("SELECT city, COUNT(*) AS n FROM visits GROUP BY city EMIT CHANGES FROM EARLIEST;");
    await terminal.until(/Wien +│? *1[^]*watching/);
    terminal.key("C-c");
    await terminal.until(/Wien +│? *1[^]*Stopped after/);
    await terminal.prompt();
    await terminal.run("SELECT city, COUNT(*) AS n FROM visits GROUP BY city EMIT CHANGES FROM EARLIEST;");
    await terminal.until(/form \(live\)/);
    terminal.key("C-o");
    await terminal.until(/form \(chart line\)/);
    terminal.key("C-o");
    await terminal.until(/Wien +1 █+[^]*form \(chart bar\)/);
    terminal.key("C-c");
    await terminal.until(
      /Wien +1 █+\n[^]*Stopped after[^]*Stopped after|Stopped after[^]*Wien +1 █+[^]*Stopped after/,
    );
  },
  "a chart of a finite result": async (terminal) => {
    await terminal.prompt();
    await terminal.run(":chart bar SELECT city, SUM(seconds) AS total FROM visits GROUP BY city;");
    await terminal.until(/Linz +\d+ █+/);
  },
  "looking around: :d, :help, :top, :watch, :plan, :last": async (terminal) => {
    await terminal.prompt();
    await terminal.run(":d visits");
    await terminal.until(/city[^\n]*STRING/);
    await terminal.run(":help SUBSTRING");
    await terminal.until(/SUBSTRING\(/i);
    await terminal.run(":top");
    await terminal.until(/visits[^]*▶ top/);
    terminal.key("C-c");
    await terminal.prompt();
    await terminal.run(":watch 1s 2 SELECT COUNT(*) AS n FROM visits;");
    await terminal.until(/every 1 s, run 1/);
    await terminal.prompt();
    await terminal.run(":plan SELECT city FROM visits WHERE seconds > 9;");
    await terminal.until(/└─/);
    await terminal.run("SELECT city FROM visits LIMIT 1;");
    await terminal.until(/1 row/);
    await terminal.run(":last json");
    await terminal.until(/\[\{"city":"/);
  },
  "the cluster from inside": async (terminal) => {
    await terminal.prompt();
    await terminal.run("SHOW NODES;");
    await terminal.until(/running/);
    await terminal.run(":nodes");
    await terminal.until(/node +│ address +│ state[^]*running[^]*▶ nodes/);
    terminal.key("C-c");
    await terminal.prompt();
    await terminal.run(":placement visits");
    await terminal.until(/shard +│ node/i);
    await terminal.run(":drain 1");
    await terminal.until(/would move[^]*nothing\s+was\s+done/);
    await terminal.run(":undrain 1");
    await terminal.until(/would let[^]*nothing\s+was\s+done/);
    await terminal.run("USE ADMIN;");
    await terminal.until(/USE ADMIN is not needed/);
    await terminal.run(`USE CLUSTER 'hstream://127.0.0.1:${server.port}';`);
    await terminal.until(/Connected to 127\.0\.0\.1/);
    await terminal.run("USE CLUSTER 'hstream://127.0.0.1:1';");
    await terminal.until(/No server answers/);
    await terminal.run("SELECT COUNT(*) AS still FROM visits;");
    await terminal.until(/still[^]*1 row/);
  },
  "another size keeps the scrollback and the text": async (terminal) => {
    await terminal.prompt();
    await terminal.run("SELECT 'before' AS mark FROM visits LIMIT 1;");
    await terminal.until(/1 row/);
    terminal.text("SELECT city, seconds, city, seconds FROM visits WHERE seconds > 10 AND seconds < 100");
    for (const [columns, rows] of [
      [30, 8],
      [120, 40],
      [20, 5],
      [80, 24],
    ]) {
      terminal.resize(columns, rows);
      await sleep(150);
    }
    terminal.text(" LIMIT 1;");
    await terminal.until(/LIMIT 1;/);
    const text = terminal.screen();
    check(/before/.test(text) && /HStream at/.test(text), "the scrollback was lost", text);
    terminal.key("C-c");
    await terminal.until(/brings it back/);
  },
  "wide letters, control characters, errors with a caret": async (terminal) => {
    await terminal.prompt();
    await terminal.run("SELECT '漢字🎈' AS wide, 'x' AS y FROM visits LIMIT 1;");
    const text = await terminal.until(/│ 漢字🎈 │ x │/);
    check(/├─{8}┼───┤/.test(text), "the borders do not fit", text);
    await terminal.run("SELECT city FROM visitz;");
    await terminal.until(/SELECT city FROM visitz;\n +\^{6}/);
    await terminal.until(/hint: /);
  },
  "an editor and a pager have the terminal, and give it back": async (terminal) => {
    await terminal.prompt();
    terminal.text("SELECT 1");
    terminal.key("C-x");
    await terminal.until(/> SELECT 'edited' AS e FROM visits LIMIT 1;/);
    terminal.key("Enter");
    await terminal.until(/│ edited │/);
    await terminal.prompt();
  },
  "Ctrl-Z stops the shell, fg brings it back": async (terminal) => {
    await terminal.prompt();
    terminal.text("SELECT half");
    await terminal.until(/half$/);
    terminal.key("C-z");
    await terminal.until(/Stopped[^]*[#$]$/);
    terminal.text("fg");
    terminal.key("Enter");
    await sleep(300);
    terminal.text("way");
    await terminal.until(/halfway$/);
    terminal.key("C-c");
    await terminal.until(/brings it back/);
  },
  "a question before something is dropped": async (terminal) => {
    await terminal.prompt();
    await terminal.run("CREATE STREAM doomed;");
    await terminal.until(/created/i);
    await terminal.run("DROP STREAM doomed;");
    await terminal.until(/DROP STREAM doomed; cannot be undone\. Go on\?/);
    terminal.key("n");
    await terminal.until(/Nothing was done/);
    await terminal.run("DROP STREAM doomed; -- really");
    await terminal.until(/Go on\?[^]*y: yes/);
    terminal.key("y");
    await terminal.until(/dropped/i);
  },
  "a server that goes leaves the shell, and one that comes back is found": async (terminal) => {
    await terminal.prompt();
    await terminal.run("SELECT COUNT(*) AS before FROM visits;");
    await terminal.until(/before[^]*1 row/);
    await server.kill();
    await terminal.run("SELECT COUNT(*) AS during FROM visits;");
    await terminal.until(/No server answers[^]*The shell stays/);
    await terminal.prompt();
    await server.restart();
    await terminal.run("SELECT COUNT(*) AS afterwards FROM visits;");
    await terminal.until(/afterwards[^]*1 row/);
  },
  "leaving gives the terminal back": async (terminal) => {
    await terminal.prompt();
    terminal.key("C-d");
    await terminal.until(/\n[#$]$/);
    terminal.text("echo typed is seen");
    terminal.key("Enter");
    await terminal.until(/[#$] echo typed is seen\ntyped is seen/);
  },
};

let passed = 0;
let failed = 0;
try {
  hstream("sql", "-q", "-e", "CREATE STREAM visits (city STRING, seconds INTEGER);");
  hstream(
    "sql",
    "-q",
    "-e",
    "INSERT INTO visits (city, seconds) VALUES ('Wien', 12), ('Graz', 7), ('Linz', 31);",
  );
  const editor = join(server.directory, "editor");
  writeFileSync(editor, `#!/bin/sh\necho "SELECT 'edited' AS e FROM visits LIMIT 1;" > "$1"\n`, {
    mode: 0o755,
  });
  const wanted = process.argv[2] ?? "";
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (!name.includes(wanted)) continue;
    const started = Date.now();
    const terminal = new Terminal({ env: { EDITOR: editor } });
    try {
      await scenario(terminal);
      passed++;
      console.log(`ok     ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAILED ${name}: ${error.message}`);
    } finally {
      terminal.end();
    }
  }
} finally {
  spawnSync("tmux", ["-L", socket, "kill-server"]);
  await server.stop();
}
printClosingLine({ passed, failed, skipped: 0 });
process.exit(failed === 0 ? 0 : 1);
