/** What the process ends with. Documented in the README; scripts rely on them. */
export const exitCodes = {
  ok: 0,
  /** The server or the SQL text refused. */
  failed: 1,
  usage: 2,
  /** Not found, or exists already. */
  existence: 3,
  /** No server answers, or not in time. */
  unreachable: 5,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
