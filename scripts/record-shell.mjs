/**
 * Records docs/shell.md's demonstration from a real run: a server, the shell in a pseudo terminal, keys typed
 * as a hand would. Writes the screens into docs/shell.md (between its markers) and docs/shell.svg.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";
import { ready, root } from "./ready.mjs";
import { serve } from "./serve.mjs";

const columns = 110;
const rows = 24;
ready();
const bin = join(root, "packages/cli/bin/hstream.mjs");
const server = await serve(bin);
const screen = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
const env = { ...process.env, TERM: "xterm-256color", HSTREAM_PORT: String(server.port) };
for (const name of ["CI", "NO_COLOR", "FORCE_COLOR"]) delete env[name];
const home = { HOME: server.directory, XDG_STATE_HOME: server.directory, XDG_CONFIG_HOME: server.directory };
const start = (args) =>
  spawn(process.execPath, [bin, ...args], {
    name: "xterm-256color",
    cols: columns,
    rows,
    env: { ...env, ...home },
  });
const shell = start(["sql"]);
shell.onData((data) => screen.write(data));

// Whatever goes wrong, nothing of the recording stays behind.
process.on("uncaughtException", async (error) => {
  console.error(error.message);
  shell.kill();
  await server.stop();
  process.exit(1);
});

const frames = [];
const texts = new Map();

function line(y) {
  return screen.buffer.active.getLine(y)?.translateToString(true) ?? "";
}

function visibleText() {
  const { baseY } = screen.buffer.active;
  return Array.from({ length: rows }, (_, y) => line(baseY + y))
    .join("\n")
    .trimEnd();
}

async function until(pattern, what) {
  for (let tries = 0; tries < 600; tries++) {
    if (pattern.test(visibleText())) return;
    await sleep(25);
  }
  throw new Error(`${what} never showed ${pattern}:\n${visibleText()}`);
}

/** Types letter by letter, with a frame now and then. */
async function type(text) {
  for (const [place, letter] of [...text].entries()) {
    shell.write(letter);
    await sleep(12);
    if (place % 6 === 5) snap(90);
  }
  await sleep(60);
}

async function enter(pattern, what) {
  await sleep(60);
  shell.write("\r");
  await until(pattern, what);
  await sleep(120);
  snap(1_400);
}

/** Keeps the screen as it is as a frame for so long, ms. */
function snap(ms) {
  const { active } = screen.buffer;
  const lines = [];
  for (let y = 0; y < rows; y++) {
    const cells = active.getLine(active.baseY + y);
    const runs = [];
    for (let x = 0; x < columns; x++) {
      const cell = cells?.getCell(x);
      const text = cell?.getChars() || " ";
      const style = [
        cell?.isFgPalette() ? `c${cell.getFgColor()}` : "",
        cell?.isBold() ? "b" : "",
        cell?.isDim() ? "d" : "",
        cell?.isInverse() ? "i" : "",
        cell?.isUnderline() ? "u" : "",
      ]
        .filter(Boolean)
        .join(" ");
      const last = runs.at(-1);
      if (last !== undefined && last.style === style) last.text += text;
      else runs.push({ style, text, x });
      if ((cell?.getWidth() ?? 1) === 2) x++;
    }
    lines.push(runs);
  }
  frames.push({ lines, ms, cursor: { x: active.cursorX, y: active.cursorY } });
}

/** Keeps the last lines of the screen, from the first that matches, as a text of docs/shell.md. */
function keep(name, from) {
  const lines = visibleText().split("\n");
  const first = lines.findLastIndex((one) => from.test(one));
  texts.set(
    name,
    lines
      .slice(Math.max(0, first))
      .map((one) => one.trimEnd())
      .join("\n")
      .trimEnd()
      .replace(/\n>$/, "")
      .trimEnd(),
  );
}

await until(/^>$/m, "the shell");
snap(800);
await type("CREATE STREAM visits (city STRING, seconds INTEGER);");
await enter(/created/i, "CREATE");
await type("INSERT INTO visits (city, seconds) VALUES ('Wien', 12), ('Graz', 7), ('Linz', 31);");
await enter(/Inserted 3/, "INSERT");
keep("create", /CREATE STREAM/);

await type("SELECT city, AVG(seconds) AS mean FROM vis");
shell.write("\t");
await sleep(300);
await type("GROUP BY ");
shell.write("\t");
await until(/keyword/, "the menu");
await sleep(300);
snap(1_600);
keep("menu", /^> SELECT city/);
shell.write("\t");
await sleep(100);
shell.write("\t");
await until(/› city/, "the choice").catch(() => {});
snap(700);
shell.write("\u001b");
await sleep(200);
shell.write("\u0003");
await sleep(200);

await type("SELECT city, AVG(seconds) FROM visitz GROUP BY city;");
await enter(/hint:/, "the error");
keep("error", /^> SELECT city, AVG/);

const feeder = start(["stream", "append", "visits", "--progress", "off"]);
let feeding = true;
const cities = ["Wien", "Graz", "Linz", "Salzburg", "Bregenz"];
let n = 0;
const feed = (async () => {
  while (feeding) {
    n++;
    const wave = Math.round(40 + 25 * Math.sin(n / 6) + ((n * 7) % 11));
    feeder.write(`${JSON.stringify({ city: cities[(n * 7) % 5], seconds: wave })}\n`);
    await sleep(90);
  }
})();

await type("SELECT city, seconds FROM visits EMIT CHANGES;");
await enter(/watching/, "the push query");
await until(/watching · [1-9]\d rows/, "rows");
snap(1_200);
keep("push", /^> SELECT city, seconds/);
// Ctrl-O: in place, then as a chart.
shell.write("\u000f");
await until(/\(live\)/, "the live view");
shell.write("\u000f");
await until(/\(chart line\)/, "the chart");
for (let i = 0; i < 8; i++) {
  await sleep(500);
  snap(350);
}
keep("chart", /^seconds/);
shell.write("\u0003");
await until(/Stopped after/, "the end");

await type(":live on");
await enter(/changes in place/, ":live");
await type(
  "SELECT city, COUNT(*) AS n, AVG(seconds) AS mean FROM visits GROUP BY city EMIT CHANGES FROM EARLIEST;",
);
await enter(/watching/, "the live query");
for (let i = 0; i < 5; i++) {
  await sleep(400);
  snap(300);
}
keep("live", /^> SELECT city, COUNT/);
shell.write("\u0003");
await until(/Stopped after/, "the end");

await type(":top");
await enter(/appended\/s/, ":top");
for (let i = 0; i < 5; i++) {
  await sleep(1_000);
  snap(700);
}
keep("top", /of 1 node up/);
shell.write("\u0003");
await sleep(300);
feeding = false;
await feed;
feeder.kill();
shell.write("\u0004");
await new Promise((resolve) => shell.onExit(resolve));
await server.stop();

const file = join(root, "docs/shell.md");
let page = readFileSync(file, "utf8");
for (const [name, text] of texts) {
  const block = `<!-- recorded: ${name} -->\n\`\`\`text\n${text}\n\`\`\`\n<!-- end -->`;
  const marker = new RegExp(`<!-- recorded: ${name} -->[^]*?<!-- end -->`);
  if (!marker.test(page)) throw new Error(`docs/shell.md has no place for "${name}"`);
  page = page.replace(marker, () => block);
}
writeFileSync(file, page);
writeFileSync(join(root, "docs/shell.svg"), svg());
console.log(`${frames.length} frames, ${texts.size} texts`);
process.exit(0);

function svg() {
  const width = columns * 8.4 + 24;
  const height = rows * 18 + 24;
  const total = frames.reduce((sum, { ms }) => sum + ms, 0);
  let at = 0;
  const styles = [];
  const groups = frames.map(({ lines, ms, cursor }, index) => {
    const from = ((100 * at) / total).toFixed(3);
    const to = ((100 * (at + ms)) / total).toFixed(3);
    at += ms;
    styles.push(
      `@keyframes f${index}{0%{visibility:hidden}${from}%{visibility:visible}${to}%{visibility:hidden}100%{visibility:hidden}}#f${index}{animation:f${index} ${total}ms step-end infinite}`,
    );
    const drawn = lines.map((runs, y) => drawLine(runs, y)).join("");
    const block = `<rect class="cur" x="${(12 + cursor.x * 8.4).toFixed(1)}" y="${14 + cursor.y * 18}" width="8.4" height="16"/>`;
    return `<g id="f${index}">${drawn}${block}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width.toFixed(0)} ${height}" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14"><title>The shell of HStream</title><style>rect.bg{fill:#16181d}text{fill:#d8dce4;white-space:pre}g{visibility:hidden}.cur{fill:#d8dce4;opacity:.5}.b{font-weight:bold}.d{opacity:.55}.u{text-decoration:underline}.c1{fill:#f2777a}.c2{fill:#8fc98b}.c3{fill:#e6c07b}.c5{fill:#c79be0}.c6{fill:#6fc3cf}.i{fill:#f5f7fa;font-weight:bold;text-decoration:underline}${styles.join("")}</style><rect class="bg" width="100%" height="100%" rx="8"/>${groups.join("")}</svg>\n`;
}

function drawLine(runs, y) {
  const parts = runs
    .filter(({ text }) => text.trim() !== "")
    .map(({ style, text, x }) => {
      const blank = text.length - text.trimStart().length;
      const start = x + blank;
      const shown = text.trim().replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
      return `<tspan x="${(12 + start * 8.4).toFixed(1)}"${style === "" ? "" : ` class="${style}"`}>${shown}</tspan>`;
    });
  return parts.length === 0 ? "" : `<text y="${27 + y * 18}">${parts.join("")}</text>`;
}
