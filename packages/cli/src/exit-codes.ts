/** What the process ends with. Documented in the README; scripts rely on them. */
export const exitCodes = {
  ok: 0,
  /** The server or the SQL text refused. */
  failed: 1,
  usage: 2,
  /** Not found, or exists already. */
  existence: 3,
  /** The server does not know or does not trust us, or we not it. */
  access: 4,
  /** No server answers, or not in time. */
  unreachable: 5,
  /** Some statements of a script failed, and it went on. */
  partial: 6,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
