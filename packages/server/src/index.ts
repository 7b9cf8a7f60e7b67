export {
  type ConfigError,
  type ConfigSources,
  type ResolvedConfig,
  resolveConfig,
} from "./config/resolve-config.js";
export { type Config, environmentName, type SettingName, settings } from "./config/settings.js";
export type { Env } from "./env/env.js";
export { createNodeEnv } from "./env/node-env.js";
export { errors, HStreamError } from "./errors.js";
export { type Backup, backupLog, restoreLog } from "./log/backup.js";
export {
  dumpLog,
  type DumpedFrame,
  type LogCheck,
  type LogFinding,
  LogToolError,
  verifyLog,
} from "./log/inspect.js";
export { type RepairedSegment, repairLog } from "./log/repair.js";
export type { SqlDone, SqlEvent, SqlHeader, SqlRows, SqlService } from "./queries/sql-service.js";
export type { QueryRooms, SqlRoom } from "./queries/open-queries.js";
export { createServerLog, createTextLog, type LogDestination, type ServerLog } from "./server-log.js";
export {
  type RunningServer,
  type ServerOptions,
  ServerStartError,
  startServer,
} from "./server.js";
