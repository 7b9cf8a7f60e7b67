import { dirname } from "node:path";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { failureOf } from "../failure.js";
import { contextsFile, contextUrl } from "./contexts.js";
import { type CommandContext, connect, printList } from "./context.js";

type Finding = "ok" | "note" | "problem";
interface Check {
  readonly check: string;
  readonly finding: Finding;
  readonly detail: string;
}

/** `hstream doctor`: what may be wrong on the first day. Ends with 5 when the server does not answer, 1 for other problems. */
export async function doctor(context: CommandContext): Promise<ExitCode> {
  const { system } = context;
  const server = await checkServer(context);
  const checks: readonly Check[] = [
    checkNode(system.nodeVersion),
    checkTerminal(context),
    checkColours(context),
    checkLocale(context),
    await checkContexts(context),
    await checkState(context),
    await checkDataDirectory(context),
    server,
  ];
  await printList(
    context,
    ["check", "finding", "detail"],
    checks.map(({ check, finding, detail }) => [check, finding, detail]),
  );
  if (server.finding === "problem") return exitCodes.unreachable;
  return checks.some(({ finding }) => finding === "problem") ? exitCodes.failed : exitCodes.ok;
}

function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const enough = major > 20 || (major === 20 && minor >= 19);
  return {
    check: "node",
    finding: enough ? "ok" : "problem",
    detail: enough ? version : `${version}; 20.19 is needed`,
  };
}

function checkTerminal({ system }: CommandContext): Check {
  const { stdin, stdout, env } = system;
  const detail = `${env["TERM"] ?? "TERM is not set"}, ${stdout.columns() ?? "?"} × ${stdout.rows() ?? "?"}`;
  if (stdin.isTTY !== true || !stdout.isTty) {
    return {
      check: "terminal",
      finding: "note",
      detail: "none: the shell reads statements from standard input",
    };
  }
  if (env["TERM"] === "dumb")
    return { check: "terminal", finding: "note", detail: "dumb: the shell is a plain one" };
  return { check: "terminal", finding: "ok", detail };
}

function checkColours({ system }: CommandContext): Check {
  const off = (system.env["NO_COLOR"] ?? "") !== "";
  return {
    check: "colours",
    finding: "ok",
    detail: off ? "off (NO_COLOR)" : system.stdout.isTty ? "on" : "off",
  };
}

function checkLocale({ system: { env } }: CommandContext): Check {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  const unicode = /utf-?8/i.test(locale);
  const detail = unicode
    ? locale
    : `${locale === "" ? "not set" : locale}; frames and texts need UTF-8, LANG=C.UTF-8 will do`;
  return { check: "locale", finding: unicode ? "ok" : "note", detail };
}

async function checkContexts({ system }: CommandContext): Promise<Check> {
  try {
    const url = await contextUrl(system, undefined);
    return { check: "contexts", finding: "ok", detail: url === undefined ? "none in use" : `in use: ${url}` };
  } catch (error) {
    return {
      check: "contexts",
      finding: "problem",
      detail: error instanceof Error ? error.message : contextsFile(system),
    };
  }
}

async function checkState({ system }: CommandContext): Promise<Check> {
  const home = system.env["HOME"] ?? ".";
  const directory = `${system.env["XDG_STATE_HOME"] ?? `${home}/.local/state`}/hstream`;
  const probe = `${directory}/.doctor`;
  try {
    await system.files.makeDirectory(directory);
    await system.files.write(probe, "");
    await system.files.removeDirectory(probe);
    return { check: "history", finding: "ok", detail: `${directory} can be written` };
  } catch {
    return {
      check: "history",
      finding: "note",
      detail: `${directory} cannot be written: nothing is remembered`,
    };
  }
}

async function checkDataDirectory({ system }: CommandContext): Promise<Check> {
  const directory = system.env["HSTREAM_DATA_DIR"] ?? "./hstream-data";
  if (!(await system.files.exists(directory))) {
    const above = await system.files.exists(dirname(directory));
    const detail = `${directory} will be made by "hstream server start"`;
    return {
      check: "data",
      finding: above ? "ok" : "problem",
      detail: above ? detail : `nothing at ${dirname(directory)}`,
    };
  }
  const probe = `${directory}/.doctor`;
  try {
    await system.files.write(probe, "");
    await system.files.removeDirectory(probe);
    return { check: "data", finding: "ok", detail: `${directory} can be written` };
  } catch {
    return { check: "data", finding: "problem", detail: `${directory} cannot be written` };
  }
}

async function checkServer(context: CommandContext): Promise<Check> {
  const { system } = context;
  try {
    const started = system.uptime();
    const client = await connect(context);
    const { serverNodesStatus } = await client.describeCluster();
    const ms = Math.round(system.uptime() - started);
    await client.close();
    const running = serverNodesStatus.filter(({ state }) => state === 1).length;
    return {
      check: "server",
      finding: "ok",
      detail: `${context.server} answers in ${ms} ms, ${running} of ${serverNodesStatus.length} nodes run`,
    };
  } catch (error) {
    return { check: "server", finding: "problem", detail: failureOf(error, context.server).message };
  }
}
