import type { Command } from "commander";
import { type Context, type Finish, group } from "./tree-parts.js";

/** `log …`, `backup` and `restore`. */
export function addLog(program: Command, context: Context, finish: Finish): void {
  const log = group(program, "log", "look at and repair the files of a server that does not run");
  const load = () => import("../commands/log.js");
  log
    .command("verify <data-dir>")
    .description("check every byte; exit code 1 when something is wrong")
    .action((dataDir: string) => finish(load().then((log) => log.verifyCommand(context(), dataDir))));
  log
    .command("dump <data-dir>")
    .description("print every frame as a line of JSON")
    .action((dataDir: string) => finish(load().then((log) => log.dumpCommand(context(), dataDir))));
  log
    .command("repair <data-dir>")
    .description("save what can be read of damaged files; the damaged ones are put aside")
    .action((dataDir: string) => finish(load().then((log) => log.repairCommand(context(), dataDir))));
  program
    .command("backup <data-dir> <target>")
    .description("copy the data of a server on this machine, running or not")
    .action((dataDir: string, target: string) =>
      finish(load().then((log) => log.backupCommand(context(), dataDir, target))),
    );
  program
    .command("restore <backup> <data-dir>")
    .description("make a data directory of a backup, and check it")
    .action((backup: string, dataDir: string) =>
      finish(load().then((log) => log.restoreCommand(context(), backup, dataDir))),
    );
}
